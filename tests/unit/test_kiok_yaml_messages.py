"""Messages for errors of the YAML parsers, for every message of libyaml and of PyYAML's own parser."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
import yaml._yaml
import yaml.parser
import yaml.scanner
from hypothesis import given
from hypothesis import strategies as st

from kiok import yaml_reader
from kiok.yaml_fault import Fault, Mark
from kiok.yaml_messages import RULES, explain
from kiok.yaml_reader import YamlError, YamlLimits, documents

LOADERS = {"libyaml": yaml.CSafeLoader, "pure": yaml.SafeLoader}
TAB = "indented with a tab; indent with spaces"
DIRECTIVE = "a line that begins with '%' is a YAML directive"
TAG = "'!' begins a tag, and this one is not well formed; write the value in quotes"
ESCAPE = "a backslash between double quotes begins an escape"
COLON_IN_VALUE = (
    "a value without quotes cannot hold ': '; write it in quotes, or as a block of text (`script: |`"
)

# What an author wrote, the line to look at, and what is said about it.
EXAMPLES = [
    # a colon too much or too few
    ("tasks:\n- script: echo a: b\n", 2, COLON_IN_VALUE),
    ("a: &x b: c\n", 1, COLON_IN_VALUE),
    ("dag\n  id: d\ntasks: []\n", 1, "':' is missing after 'dag'"),
    ("dag: {id: d}\ntasks\n  - id: a\n", 2, "the line 'tasks' has no ':'"),
    ("tasks\n- id: a\n", 1, "':' is missing after 'tasks'"),
    ("dag:\n  id d\n  name: x\n", 2, "the line 'id d' has no ': '"),
    ("tasks:\n- id: a\n  script echo\n  requires: []\n", 3, "the line 'script echo' has no ':'"),
    ("dag: {id: d}\ntasks\n- id: a\n", 2, "the line 'tasks' has no ':'"),
    ("dag:\n  id: d\n    name: x\n", 3, "deeper than the line above, whose key 'id' already has a value"),
    ("--- dag: x\n", 1, "a key cannot follow '---' in the same line"),
    # characters that begin something else
    ("dag:\n  schedule: @daily\n", 2, '"0 0 * * *" is @daily'),
    ("dag:\n  owner: @team # x\n", 2, "a value cannot begin with '@'; write it in quotes: \"@team\""),
    ("dag:\n  schedule: */5 * * * *\n", 2, "'*' begins an alias; write the value in quotes: \"*/5 * * * *\""),
    ("dag:\n  schedule: * * * * *\n", 2, 'write the value in quotes: "* * * * *"'),
    ("- script: & x\n", 1, "'&' begins an anchor; write the value in quotes: \"& x\""),
    ("dag:\n  name: %x\n", 2, "a value cannot begin with '%'; write it in quotes: \"%x\""),
    ("dag:\n  name: `x`\n", 2, "a value cannot begin with '`'"),
    ('dag:\n  name: `"\\x`\n', 2, "write it in quotes: '`\"\\x`'"),
    ("a: ]\n", 1, "expected a value, found ']'"),
    ("a: ,b\n", 1, "expected a value, found ','"),
    ("{a: [,]}", 1, "expected a value, found ','"),
    ("a: - b\n", 1, "a list item ('- ') cannot follow a key in its line"),
    ("a: ? b\n", 1, "a value cannot begin with '? '"),
    # indentation
    (" dag:\n  id: d\ntasks:\n- {id: a}\n", 1, "indented with 1 space and line 3 with no spaces"),
    (
        "dag:\n  id: d\n schedule: x\n",
        3,
        "indented with 1 space, unlike the keys of the mapping that begins in line 1",
    ),
    (
        "tasks:\n  - id: a\n  script: b\n",
        3,
        "expected an item ('- ') of the list that begins in line 2, found 'script: b'",
    ),
    (
        "dag:\n  id: a\n  - b\n",
        3,
        "found a list item ('- ') where a key of the mapping that begins in line 2",
    ),
    ("tasks:\n- id: a\n\tscript: b\n", 3, TAB),
    ("\tdag:\n", 1, TAB),
    ("a: |\n\tx\n", 2, TAB),
    ("a\t: b\n\tc: d\n", None, "tab"),
    # quotes and brackets
    ('dag:\n  id: "x\n  b: c\n', 2, 'the quote (") that opens here is not closed'),
    ("a: 'b\n---\nc'\n", 1, "the quote (') that opens here is not closed"),
    ('dag:\n  id: "x\n  b: "c"\n', 2, "the quote that opens in this line closes only in line 3"),
    ("- 'x\n- b: 'c'\n", 1, "the quote that opens in this line closes only in line 2"),
    ("a: 'it's'\n", 1, "a ' inside '...' is written twice"),
    ('a: "b" c\n', 1, "'c' follows the value that ends with '\"'"),
    (
        "dag: {id: d\ntasks:\n- {id: a}\n",
        1,
        "the '{' that opens here is not closed by '}', or ',' is missing before line 2",
    ),
    ("a: [b\n\n", 1, "the '[' that opens here is not closed by ']'"),
    ("x: [\n", 1, "the '[' that opens here is not closed by ']'"),
    ("a: [b]\nx: {a: [\n  b,\n\n", 2, "the '[' that opens here is not closed by ']'"),
    ('{"dag": {"id": "d"} "tasks": []}', 1, "expected ',' or '}' before '\"tasks\": []}'"),
    ("[a: b: c]", 1, "expected ',' or ']' before ': c]'"),
    ("{a: b}\nc: d\n", 2, "the document ends before 'c: d'"),
    # text of other programs
    ("dag:\n<<<<<<< HEAD\n  id: x\n=======\n  id: y\n>>>>>>> b\n", 2, "merge conflict marker"),
    ("dag:\n  id: x\n>>>>>>> b\ntasks: []\n", 3, "merge conflict marker"),
    ("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-dag: x\n", 1, "the line is part of a diff"),
    ("<!DOCTYPE html>\n<html>\n<p>a: b</p>\n", 1, "the line is part of an HTML page"),
    ("{{- if x }}\ndag: x\n{{- end }}\n", 1, "'{{' of a template is not YAML"),
    ("{% if x %}\na: b\n", 1, "'{%' of a template is not YAML"),
    # block scalars, escapes, tags, directives
    ("a: | x\n", 1, "only a comment may follow '|' or '>' in its line"),
    ("a: >x\n y\n", 1, "only a comment may follow '|' or '>' in its line"),
    ("a: |0\n", 1, "from 1 to 9"),
    ('a: "\\z"\n', 1, ESCAPE),
    ('a: "\\xzz"\n', 1, ESCAPE),
    ("a: !<x b", 1, TAG),
    ("a: !<x>b", 1, TAG),
    ("a: !x!y b", 1, TAG),
    ("a: !%zz b", 1, TAG),
    ("a: !%80 b", 1, TAG),
    ("a: !%c3%28 b", 1, TAG),
    ("a: !x^y b", 1, TAG),
    ("%YAML 1.1\n%YAML 1.1\n--- a", 2, "the file sets its YAML version twice"),
    ("%YAML 2.0\n--- a", 1, "another version of YAML"),
    ("%YAML x\n--- a", 1, DIRECTIVE),
    ("%YAML 1x\n--- a", 1, DIRECTIVE),
    ("%YAML 1.1x\n--- a", 1, DIRECTIVE),
    ("%YAML 1.1 x\n--- a", 1, DIRECTIVE),
    ("%YAML 1.1\na: b\n", 2, "a line '---' is needed"),
    ("%TAG ! a\n%TAG ! b\n--- a", 2, "the tag prefix is defined twice"),
    ("%TAG\n--- a", 1, DIRECTIVE),
    ("%TAG !x y\n--- a", 1, DIRECTIVE),
    ("%TAG !x! \n--- a", 1, DIRECTIVE),
    ("%TAG !x!y\n--- a", 1, DIRECTIVE),
    ("%TAG ! a^\n--- a", 1, DIRECTIVE),
    ("%\n--- a", 1, DIRECTIVE),
    ("%a^\n--- a", 1, DIRECTIVE),
    ("%dag:\n  id: d\n", 1, DIRECTIVE),
]
# What only one of the parsers refuses.
OF_LIBYAML = [
    ("{a:[b]}\n", 1, "a space is missing after ':'"),
    ("a: |\n \tx\n", 2, TAB),
    ('a: "\\ud800"\n', 1, ESCAPE),
    ("%YAML 1.12345678901\n--- a", 1, DIRECTIVE),
    ("%FOO\n--- a", 1, DIRECTIVE),
]
OF_PURE = [
    ('a: "\\U00110000"\n', None, ESCAPE),
    ("{\n\ta: b\n}\n", 2, TAB),
]
# Raised by nothing that reads text into events: those of the composer, which is not used, and the check of the first
# token, which the scanner always makes.
UNREACHABLE = {
    "found duplicate anchor; first occurrence",
    "found undefined alias",
    "did not find expected <stream-start>",
}


def error_of(text: str, monkeypatch: pytest.MonkeyPatch, name: str) -> YamlError:
    monkeypatch.setattr(yaml_reader, "_LOADER", LOADERS[name])
    with pytest.raises(YamlError) as caught:
        list(documents(text, YamlLimits()))
    return caught.value


def cases() -> Iterator[tuple[str, str, int | None, str]]:
    for name in LOADERS:
        for text, line, output in [*EXAMPLES, *(OF_LIBYAML if name == "libyaml" else OF_PURE)]:
            yield name, text, line, output


@pytest.mark.parametrize(
    ("name", "text", "line", "message"), list(cases()), ids=lambda value: repr(value)[:30]
)
def test_error_names_the_likely_cause_at_the_line_to_change(
    name: str, text: str, line: int | None, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = error_of(text, monkeypatch, name)
    assert error.message.startswith("not valid YAML: ")
    assert message in error.message
    if line is not None:
        assert error.mark is not None
        assert error.mark.line == line


def problems_met(name: str) -> set[str]:
    """Return the parser's own messages for all examples."""
    met = set()
    for loader, text, _line, _said in cases():
        if loader == name:
            try:
                list(yaml.parse(text, Loader=LOADERS[name]))
            except yaml.MarkedYAMLError as error:
                met.add(str(error.problem))
            except ValueError as error:
                met.add(str(error))
    return met


def test_every_message_of_libyaml_has_an_example() -> None:
    library = Path(yaml._yaml.__file__).read_bytes()
    begins = rb"(?:did not find|found |could not find|mapping (?:keys|values) are|block sequence entries)"
    messages = {found.decode() for found in re.findall(rb"\0(" + begins + rb"[ -~]*)(?=\0)", library)}
    assert len(messages) > 40
    assert messages - problems_met("libyaml") == UNREACHABLE


def test_every_message_of_the_pure_parser_has_an_example() -> None:
    met = problems_met("pure")
    patterns = set()
    for module in (yaml.scanner, yaml.parser):
        for call in ast.walk(ast.parse(Path(module.__file__).read_text())):
            is_raised = isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
            if is_raised and call.func.id in ("ScannerError", "ParserError"):
                words = call.args[2].left if isinstance(call.args[2], ast.BinOp) else call.args[2]
                if isinstance(words, ast.Constant):
                    patterns.add(re.sub(r"%[rd]", ".*", re.escape(words.value).replace(r"\%", "%")))
    assert len(patterns) > 25
    assert (
        [pattern for pattern in patterns if not any(re.fullmatch(pattern, output) for output in met)]
        == [
            # Each is behind a check that lets nothing else through.
        ]
    )


def test_every_rule_matches_a_message_of_a_parser() -> None:
    met = problems_met("libyaml") | problems_met("pure") | UNREACHABLE
    assert [rule.pattern for rule, _ in RULES if not any(rule.match(problem) for problem in met)] == []


def test_unknown_message_keeps_the_parsers_text_and_place() -> None:
    fault = Fault("while scanning", "found something new", Mark(1, 2), Mark(3, 4), ["a", "b", "c"])
    assert explain(fault) == ("while scanning, found something new", Mark(3, 4))


@given(st.sampled_from(RULES), st.text("ab:-'\"{[\t @*<\n", max_size=30), st.data())
def test_rules_raise_no_error_for_any_text_and_place(
    rule: tuple[re.Pattern[str], object], text: str, data: st.DataObject
) -> None:
    marks = st.none() | st.builds(Mark, st.integers(1, 9), st.integers(1, 40))
    problem = data.draw(st.from_regex(rule[0]))
    context = data.draw(
        st.sampled_from(["", "while scanning a directive", "while parsing a block collection"])
    )
    opened = data.draw(st.none() | st.integers(1, 9))
    fault = Fault(context, problem, data.draw(marks), data.draw(marks), text.split("\n"), opened)
    message, at = explain(fault)
    assert message
    assert at is None or (at.line >= 1 and at.column >= 1)
