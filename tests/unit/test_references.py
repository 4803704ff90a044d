"""The form of references in scripts and config values, checked where a DAG is compiled."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiok.compiled import decode
from kiok.placeholders import MAX_PROBLEMS, TextKind, parse
from kiok.problems import LocatedProblem
from kiok.refs import FORMS
from kiok.validation import validate
from kiok.yaml_dag import compile_yaml
from tests.unit.python_sources import compiled as compiled_python


def problems(script: str = "s", **config: str) -> list[LocatedProblem]:
    found = validate({"id": "d", "tasks": [{"id": "t", "script": script, "config": config}]}).problems
    assert all((problem.dag, problem.task) == ("d", "t") for problem in found)
    return list(found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "${conn.foo}",
            "the key of the connection is missing; allowed: ${conn.<id>.<key>}; did you mean ${conn.foo.<key>}",
        ),
        ("${conn.}", "an id, '.' and a key must follow 'conn.'; allowed: ${conn.<id>.<key>}"),
        ("${conn..key}", "an id, '.' and a key must follow"),
        ("${conn.foo.}", "an id, '.' and a key must follow"),
        ("${conn.foo/bar}", "did you mean ${conn.foo.bar}?"),
        ("${conn.foo:bar}", "did you mean ${conn.foo.bar}?"),
        ("${conn. foo.bar }", "did you mean ${conn.foo.bar}?"),
        ("${conn.ä.b}", "an id, '.' and a key must follow"),
        ("${conn.foo.bar:-none}", "an id, '.' and a key must follow"),
        (
            "${conn.foo.bar",
            "it is not closed by '}', or contains another one; allowed: ${conn.<id>.<key>}; did you mean",
        ),
        ("${conn.foo.bar and more", "did you mean ${conn.foo.bar}?"),
        ("${conn.${env}.key}", "it is not closed by '}', or contains another one"),
        ("${secret.}", "a name must follow 'secret.'; allowed: ${secret.<name>}"),
        ("${secret.a b}", "did you mean ${secret.ab}?"),
        ("${secret.team/token}", "did you mean ${secret.team.token}?"),
        ("${secret.token", "did you mean ${secret.token}?"),
        ("${secret." + "x" * 101 + "}", "a name must follow 'secret.'"),
    ],
)
def test_malformed_reference_is_a_problem_of_its_task_and_key(text: str, message: str) -> None:
    (problem,) = problems(f"echo {text}")
    assert problem.key == "script"
    assert message in problem.message
    (problem,) = problems(token=text, other="x")
    assert (problem.key, problem.location) == ("token", ("tasks", 0, "config", "token"))
    assert message in problem.message


@pytest.mark.parametrize(
    "text",
    [
        "${conn.warehouse.url} ${conn.a.b.c} ${secret.db} ${secret.team.db-1}",
        "${conn_x} ${connect} ${secretary} ${CONN.x} $conn.x $secret ${ conn.x } {conn.x}",
        "$${conn.foo} $${secret.}",
        "#{ds} ${HOME} ${x:-${y}} $(conn.x)",
    ],
)
def test_other_variables_are_not_references(text: str) -> None:
    assert problems(text, key=text) == []


def test_shell_variable_may_be_named_conn_or_secret_in_scripts_only() -> None:
    assert problems("secret=$(cat x); echo ${secret} ${conn}") == []
    (problem,) = problems(token="${secret}")
    assert (
        problem.message == "'${secret}' is not a valid reference: it names nothing; allowed: ${secret.<name>}"
    )


def test_all_malformed_references_are_reported_with_their_lines() -> None:
    found = problems("a\necho ${conn.x}\n${secret.}\n")
    assert [problem.message.partition(" is no")[0] for problem in found] == [
        "'${conn.x}' (line 2 of the text)",
        "'${secret.}' (line 3 of the text)",
    ]
    assert len(problems("${conn.x}" * 10_000)) == MAX_PROBLEMS
    assert len(problems("${conn." * 200_000)) == MAX_PROBLEMS


def test_yaml_error_has_the_line_of_the_key() -> None:
    text = "dag: {id: d}\ntasks:\n- id: t\n  script: s\n  config:\n    url: ${conn.foo}\n"
    (found,) = compile_yaml(text.encode(), "d.yaml").diagnostics
    assert (found.line, found.task, found.key) == (6, "t", "url")


def test_python_error_has_the_line_of_the_task(tmp_path: Path) -> None:
    source = 'dag = Dag("d")\ndag.task("t", script="echo ${secret.}")\n'
    ((line, task, key, message),) = [
        (item.line, item.task, item.key, item.message)
        for item in compiled_python(tmp_path, source).diagnostics
    ]
    assert (task, key) == ("t", "script")
    assert line is not None
    assert "allowed: ${secret.<name>}" in message


def test_compiled_specs_are_checked_on_the_host_again() -> None:
    payload = b'{"dags":[{"id":"d","tasks":[{"id":"t","script":"${conn.a}"}]}],"diagnostics":[]}'
    compiled = decode(payload)
    assert compiled.dags == ()
    assert "allowed: ${conn.<id>.<key>}" in compiled.diagnostics[0].message


@given(st.text("${}conse.crt abx\n/", max_size=40), st.sampled_from(TextKind))
def test_any_text_is_checked_without_an_error(text: str, kind: TextKind) -> None:
    parsed = parse(text, kind, ())
    assert "".join(part.text for part in parsed.parts) == text
    for message in parsed.problems:
        assert "is not a valid" in message
    if kind is TextKind.SCRIPT:
        assert all(any(form in message for form in FORMS.values()) for message in parsed.problems)
