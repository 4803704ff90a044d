"""Arguments, dates and misspelled placeholders in scripts, SQL and config values, checked where a DAG is compiled."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiok.date_patterns import LETTERS, PatternError, PatternField, parse_pattern
from kiok.placeholders import (
    FUNCTIONS,
    ArgumentPart,
    DatePart,
    LiteralPart,
    ReferencePart,
    TextKind,
    forms,
    parse,
)
from kiok.validation import validate
from kiok.yaml_dag import compile_yaml

EVERYWHERE = tuple(TextKind)
INSERTED = (TextKind.SQL, TextKind.CONFIG)
DAY = '#{nowFormatted("yyyy-MM-dd")}'


def parts(text: str, kind: TextKind = TextKind.CONFIG, params: tuple[str, ...] = ("day",)) -> list[Any]:
    parsed = parse(text, kind, params)
    assert parsed.problems == ()
    assert "".join(part.text for part in parsed.parts) == text
    return list(parsed.parts)


def problem(text: str, kind: TextKind = TextKind.CONFIG, params: tuple[str, ...] = ("day",)) -> str:
    parsed = parse(text, kind, params)
    assert [type(part) for part in parsed.parts] == [LiteralPart]
    (message,) = parsed.problems
    return message


def test_a_text_is_parsed_to_literals_references_arguments_and_dates() -> None:
    text = "a ${conn.livy-spark.s3.access.key}/${args.day}${secret.db}#{nowInMillis()} ${HOME}"
    assert parts(text) == [
        LiteralPart("a "),
        ReferencePart("${conn.livy-spark.s3.access.key}", False, "livy-spark.s3.access.key"),
        LiteralPart("/"),
        ArgumentPart("${args.day}", "day"),
        ReferencePart("${secret.db}", True, "db"),
        DatePart("#{nowInMillis()}", (0, 0, 0, 0, 0, 0), None),
        LiteralPart(" ${HOME}"),
    ]


@pytest.mark.parametrize("kind", EVERYWHERE)
def test_each_date_function_is_parsed_in_every_kind_of_text(kind: TextKind) -> None:
    day = (PatternField("y", 4), "/", PatternField("M", 2))
    for text, offsets, pattern in [
        ("#{nowInMillis()}", (0,) * 6, None),
        ('#{nowFormatted("yyyy/MM")}', (0,) * 6, day),
        ("#{nowPlusInMillis(1,2,3,4,5,6)}", (1, 2, 3, 4, 5, 6), None),
        ("#{nowMinusInMillis(0, 0, 1, 0, 0, -2)}", (0, 0, -1, 0, 0, 2), None),
        ('#{ nowPlusFormatted ( 0, -1,+1 ,0,0,0 , "YYYY/MM" ) }', (0, -1, 1, 0, 0, 0), day),
        ('#{nowMinusFormatted(0,0,1,0,0,0,"yyyy/MM")}', (0, 0, -1, 0, 0, 0), day),
    ]:
        assert parts(text, kind) == [DatePart(text, offsets, pattern)]


def test_quotes_of_a_pattern_may_be_escaped_as_in_json_and_shell_strings() -> None:
    for text in (
        r"""["#{nowFormatted(\"yyyy (D)\")}"]""",
        r'''"{\\\"d\\\": \\\"#{nowFormatted(\\\"yyyy (D)\\\")}"''',
    ):
        (date,) = [part for part in parts(text) if isinstance(part, DatePart)]
        assert date.pattern == (PatternField("y", 4), " (", PatternField("D", 1), ")")


@pytest.mark.parametrize("kind", EVERYWHERE)
@pytest.mark.parametrize(
    "text",
    [
        "${HOME} ${x:-y} ${x:-${y}} ${#x} ${args[@]} ${args} ${#args[@]} ${!args} $args $$ $(conn.x)",
        "#{ds} #{ts} #{ds_nodash - 1d} #{pane_id} #{name.upcase} #{File.join(a, b)} #{} # {} #{now} #{x",
        "$${conn.foo} $${args.x} $${secret.}",
        "${{ secrets.TOKEN }} ${spark.home} ${conf.a.b} ${project.version} ${connection.a.b} ${hiveconf:x} {args.day}",
        "${arg.other} ${params.other} ${con.x} ${secrets.a b}",
    ],
)
def test_text_of_other_languages_stays_literal(kind: TextKind, text: str) -> None:
    assert parts(text, kind, ()) == [LiteralPart(text)]


@pytest.mark.parametrize(
    "text",
    [
        "${args.day} ${args.} ${args.x.y} ${args[0]} ${args.map(x => `${x}`)}",
        "${con.a.b} ${secrets.db} ${arg.day}",
        '#{foo()} #{inspect(x)} #{format("%d", n)} #{now()}',
    ],
)
def test_a_script_may_hold_text_that_elsewhere_is_an_error(text: str) -> None:
    assert parts(text, TextKind.SCRIPT, ()) == [LiteralPart(text)]
    for kind in INSERTED:
        assert parse(text, kind, ("day",)).problems


@pytest.mark.parametrize("kind", EVERYWHERE)
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('#{nowFormated("yyyy")}', "there is no function 'nowFormated'; allowed: #{nowInMillis()}"),
        ('#{nowFormated("yyyy")}', "did you mean #{nowFormatted(...)}?"),
        ("#{nowinmillis()}", "did you mean #{nowInMillis(...)}?"),
        ("#{nowMinusDays(1)}", "there is no function 'nowMinusDays'"),
        ("#{nowInMillis}", "the parentheses are missing; allowed: #{nowInMillis()}"),
        ("#{nowInMillis - 1}", "the parentheses are missing"),
        ("#{nowInMillis(}", "it is not closed by ')}', or contains another one"),
        ('#{nowFormatted("yyyy")', "it is not closed by ')}'"),
        ('#{nowFormatted("yyyy}")}', "it is not closed by ')}'"),
        ("#{nowInMillis() - 1}", "'- 1' follows the call"),
        ("#{nowInMillis(1)}", "it has 1 parameters, not 0; allowed: #{nowInMillis()}"),
        ("#{nowFormatted()}", 'it has 0 parameters, not 1; allowed: #{nowFormatted("pattern")}'),
        ("#{nowFormatted(yyyy)}", "each parameter must be a whole number or text in double quotes"),
        ("#{nowFormatted('yyyy')}", "each parameter must be a whole number or text in double quotes"),
        ("#{nowFormatted(1)}", "parameter 1 must be the pattern in double quotes"),
        (
            "#{nowPlusInMillis(1,2,3,4,5)}",
            "it has 5 parameters, not 6; allowed: #{nowPlusInMillis(years, months,",
        ),
        ("#{nowPlusInMillis(1,2,3,4,5,)}", "each parameter must be"),
        ('#{nowPlusInMillis(1,2,3,4,5,"6")}', "parameter 6 must be a whole number"),
        ("#{nowPlusInMillis(0,0,1.5,0,0,0)}", "each parameter must be a whole number"),
        ("#{nowMinusInMillis(1001,0,0,0,0,0)}", "it is more than 1000 years away"),
        ("#{nowMinusInMillis(0,0,0,0,999999999,0)}", "it is more than 1000 years away"),
        ('#{nowFormatted("")}', "the pattern is empty"),
        ('#{nowFormatted("yyyy-ww")}', "the letter 'w' is not supported; allowed: y u M"),
        ('#{nowFormatted("YYYYY")}', "the letter 'Y' is repeated 5 times; allowed: 1 to 4"),
        ('#{nowFormatted("ddd")}', "the letter 'd' is repeated 3 times; allowed: 1 or 2"),
        ('#{nowFormatted("yyyy\'T")}', "a single quote (') is not closed"),
        ('#{nowFormatted("yyyy[-MM]")}', "'[' is reserved; write it in single quotes"),
    ],
)
def test_a_broken_date_is_an_error_in_every_kind_of_text(kind: TextKind, text: str, said: str) -> None:
    message = problem(f"x {text} y", kind)
    assert "is not a valid date: " in message
    assert said in message


@pytest.mark.parametrize("kind", INSERTED)
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("#{foo()}", f"there is no function 'foo'; allowed: {forms()}"),
        ("#{now()}", "there is no function 'now'"),
        ("${con.x.y}", "'con' is unknown; did you mean ${conn.x.y}?"),
        ("${Conn.x.y}", "did you mean ${conn.x.y}?"),
        ("${conns.x.y}", "did you mean ${conn.x.y}?"),
        ("${secrets.db}", "'secrets' is unknown; did you mean ${secret.db}?"),
        ("${arg.day}", "did you mean ${args.day}?"),
        ("${params.day}", "did you mean ${args.day}?"),
        ("${args.dya}", "the DAG declares no parameter 'dya' under 'params'; did you mean 'day'?"),
        ("${args.}", "the name of a parameter must follow 'args.'; allowed: ${args.<name>}"),
        ("${args}", "the name of a parameter must follow 'args.'"),
        ("${args.Day}", "the name of a parameter must follow 'args.'"),
        ("${args.day.x}", "the name of a parameter must follow 'args.'"),
        ("${args.day", "it is not closed by '}'"),
    ],
)
def test_a_broken_placeholder_in_sql_or_a_config_is_an_error(kind: TextKind, text: str, said: str) -> None:
    assert said in problem(f"x {text} y", kind)


def test_a_declared_argument_in_a_script_is_an_error_with_its_variable() -> None:
    message = problem("a\nb ${args.day}", TextKind.SCRIPT)
    assert message == (
        "'${args.day}' (line 2 of the text) is not a valid placeholder: arguments are not written into a script; "
        "read the environment variable KIOK_ARG_DAY"
    )


def test_errors_have_line_task_and_key_and_the_script_of_trino_is_sql() -> None:
    text = """\
dag:
  id: d
  params: {day: {type: date}}
tasks:
- id: s
  script: "echo ${args.other} #{foo()}"
- id: q
  type: trino
  script: SELECT ${args.other}
  config:
    trino.url: "#{foo()}"
    trino.user: ${args.day}
- id: o
  type: ontul
  script: "SELECT ${args.day} #{foo()}"
  config: {ontul.url: u}
"""
    found = compile_yaml(text.encode(), "d.yaml").diagnostics
    assert [(item.line, item.task, item.key) for item in found] == [
        (9, "q", "script"),
        (11, "q", "trino.url"),
        (15, "o", "script"),
    ]


def test_an_argument_of_a_dag_without_params_is_undeclared() -> None:
    dag = {"id": "d", "tasks": [{"id": "t", "script": "s", "config": {"k": "${args.x}"}}]}
    (found,) = validate(dag).problems
    assert "the DAG declares no parameter 'x' under 'params'" in found.message
    assert validate({**dag, "params": {"x": {}}}).problems == ()


@pytest.mark.parametrize(
    ("pattern", "read"),
    [
        ("Y-L", (PatternField("y", 1), "-", PatternField("L", 1))),
        ("yyyyMMdd", (PatternField("y", 4), PatternField("M", 2), PatternField("d", 2))),
        ("HH'h'mm''ss", (PatternField("H", 2), "h", PatternField("m", 2), "'", PatternField("s", 2))),
        ("'o''clock'X", ("o'clock", PatternField("X", 1))),
        ("'[#]'Z 10:ä", ("[#]", PatternField("Z", 1), " 10:ä")),
    ],
)
def test_a_pattern_is_parsed_as_java_reads_it(pattern: str, read: tuple[object, ...]) -> None:
    assert parse_pattern(pattern) == read


def test_every_letter_is_allowed_as_often_as_the_table_says() -> None:
    for letter in map(chr, [*range(ord("A"), ord("Z") + 1), *range(ord("a"), ord("z") + 1)]):
        for count in range(1, 11):
            if count in LETTERS.get("y" if letter == "Y" else letter, ()):
                assert parse_pattern(letter * count) == (
                    PatternField("y" if letter == "Y" else letter, count),
                )
            else:
                with pytest.raises(PatternError):
                    parse_pattern(letter * count)


@given(
    st.lists(
        st.sampled_from(
            ["#{", "${", "now", "InMillis", *FUNCTIONS, "(", ")", "}", '"', "\\", ",", "1", "args.", "y", " "]
        )
    ).map("".join),
    st.sampled_from(TextKind),
)
def test_the_parts_of_any_text_are_the_text(text: str, kind: TextKind) -> None:
    parsed = parse(text, kind, ("y",))
    assert "".join(part.text for part in parsed.parts) == text
    assert len(parsed.problems) <= 20


@pytest.mark.parametrize(
    "unit", ["#{nowInMillis(", '#{nowFormatted("', '#{nowFormatted(\\"', "${args.", "\\" * 50]
)
def test_the_time_of_a_long_text_is_linear(unit: str) -> None:
    assert len(parse(f"#{{nowInMillis({unit * 20_000}", TextKind.CONFIG, ()).problems) <= 20
