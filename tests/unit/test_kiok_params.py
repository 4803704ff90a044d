"""The rules of a DAG's declared arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiok.compiled import decode
from kiok.params import MAX_CHOICES, MAX_PARAMS, PARAM_TYPES
from kiok.problems import LocatedProblem
from kiok.validation import validate
from kiok.yaml_dag import compile_yaml
from tests.support import validated
from tests.unit.python_sources import compiled, problems_of, spec_of


def dag(params: object) -> dict[str, Any]:
    return {"id": "d", "tasks": [{"id": "a", "script": "echo"}], "params": params}


def written(**param: object) -> dict[str, Any]:
    """Return the compiled form of one valid parameter."""
    spec = validated.good(dag({"p": param}))
    assert validate(spec.to_json()).spec == spec
    found: dict[str, Any] = spec.to_json()["params"]["p"]
    return found


def only_problem(params: object) -> LocatedProblem:
    return validated.only_problem(dag(params))


@pytest.mark.parametrize(
    ("param", "compiled_form"),
    [
        ({}, {"type": "string"}),
        ({"type": None, "required": False, "choices": None, "default": None}, {"type": "string"}),
        (
            {"required": True, "description": "é\n"},
            {"type": "string", "required": True, "description": "é\n"},
        ),
        ({"default": "", "choices": ["", "b"]}, {"type": "string", "default": "", "choices": ["", "b"]}),
        ({"type": "integer", "default": -(2**63)}, {"type": "integer", "default": -(2**63)}),
        ({"type": "number", "default": 1.0}, {"type": "number", "default": 1}),
        ({"type": "number", "default": -0.0}, {"type": "number", "default": 0}),
        ({"type": "number", "choices": [0.5, 1e10]}, {"type": "number", "choices": [0.5, 10_000_000_000]}),
        ({"type": "boolean", "default": False}, {"type": "boolean", "default": False}),
        ({"type": "date", "default": "2024-02-29"}, {"type": "date", "default": "2024-02-29"}),
    ],
)
def test_a_parameter_is_compiled_with_the_keys_that_are_set(
    param: dict[str, object], compiled_form: dict[str, object]
) -> None:
    found = written(**param)
    assert found == compiled_form
    assert list(found) == list(compiled_form)
    assert [type(value) for value in found.values()] == [type(value) for value in compiled_form.values()]


def test_parameters_are_sorted_by_name_and_choices_are_not() -> None:
    spec, _ = validate(dag({"b": {"choices": ["y", "x"]}, "a_1": {}, "a" * 63: {}}))
    assert spec is not None
    assert list(spec.to_json()["params"]) == ["a_1", "a" * 63, "b"]
    assert spec.params[2].choices == ("y", "x")


@pytest.mark.parametrize(
    "name", ["", "A", "1a", "_a", "a-b", "a.b", "ä", "a" * 64, "a\n", "\ud800"], ids=ascii
)
def test_other_names_are_refused_with_the_rule(name: str) -> None:
    problem = only_problem({name: {}})
    assert "is not the name of a parameter; allowed: 1 to 63 characters: lower-case" in problem.message
    assert problem.location[0] == "params"


@pytest.mark.parametrize(
    ("param", "key", "said"),
    [
        (
            {"type": "str"},
            "type",
            "'str' is not a type; allowed: string, integer, number, boolean, date; did you",
        ),
        ({"type": "bool"}, "type", "did you mean 'boolean'?"),
        ({"type": "intger"}, "type", "did you mean 'integer'?"),
        ({"type": 5}, "type", "must be a string, found the number 5"),
        ({"enum": ["a"]}, "enum", "unknown key 'enum'; did you mean 'choices'?"),
        ({"defalt": "a"}, "defalt", "unknown key 'defalt'; did you mean 'default'?"),
        ({"required": "yes"}, "required", "must be true or false, found 'yes'"),
        ({"required": True, "default": "a"}, "required", "a required parameter has no default; remove"),
        ({"description": " "}, "description", "must not be blank"),
        ({"description": "x" * 1001}, "description", "has 1001 characters; at most 1000 are allowed"),
        ({"default": 5}, "default", "the default must be text (write it in quotes), found the number 5"),
        ({"default": "x" * 1001}, "default", "text of at most 1000 characters"),
        ({"default": "a\x00"}, "default", "text of at most 1000 characters that can be stored"),
        ({"default": "c", "choices": ["a", "b"]}, "default", "the default 'c' is not one of the choices"),
        ({"choices": "a"}, "choices", "must be a list, found 'a'"),
        ({"choices": []}, "choices", "a parameter has 1 to 100 choices, found 0"),
        ({"choices": ["a"] * (MAX_CHOICES + 1)}, "choices", "found 101"),
        ({"choices": ["a", "b", "a"]}, "choices", "'a' is already choice 1; choices are unique"),
        ({"choices": ["a", None]}, "choices", "a choice must be text, found null"),
        ({"type": "number", "choices": [1, 1.0]}, "choices", "the number 1 is already choice 1"),
        (
            {"type": "integer", "default": True},
            "default",
            "the default must be a whole number within 64 bits, found true",
        ),
        (
            {"type": "integer", "default": 1.0},
            "default",
            "must be a whole number within 64 bits, found the number 1.0",
        ),
        ({"type": "integer", "default": 2**63}, "default", "must be a whole number within 64 bits"),
        (
            {"type": "number", "default": "1"},
            "default",
            "the default must be a number within 64 bits, found '1'",
        ),
        ({"type": "number", "default": float("nan")}, "default", "must be a finite number"),
        ({"type": "number", "default": 1e300}, "default", "must be a number within 64 bits"),
        (
            {"type": "boolean", "default": 1},
            "default",
            "the default must be true or false, found the number 1",
        ),
        ({"type": "boolean", "choices": [True]}, "choices", "a boolean has no choices"),
        ({"type": "date", "default": "2026-02-30"}, "default", "must be a date of the calendar, such as"),
        ({"type": "date", "default": "20260230"}, "default", "must be a date such as '2026-03-31'"),
        ({"type": "date", "default": "2026-03-31T00:00"}, "default", "must be a date such as"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_wrong_parameter_is_named_with_the_rule(param: dict[str, object], key: str, said: str) -> None:
    problem = only_problem({"p": param})
    assert (problem.dag, problem.key) == ("d", "params.p")
    assert problem.location[:3] == ("params", "p", key)
    assert said in problem.message


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ("day", "must be a mapping of names to parameters, found 'day'"),
        (["day"], "must be a mapping of names to parameters, found a list of 1"),
        ({"p": "eu"}, "a parameter must be a mapping such as {type: string, default: eu}, found 'eu'"),
        ({5: {}}, "the number 5 is not the name of a parameter"),
        pytest.param(
            {f"p{n}": {} for n in range(101)}, "a DAG has at most 100 parameters, found 101", id="101"
        ),
    ],
)
def test_wrong_params_are_named_with_the_rule(params: object, said: str) -> None:
    assert said in only_problem(params).message
    assert validate(dag({f"p{n}": {} for n in range(MAX_PARAMS)})).problems == ()


def test_yaml_problems_of_a_parameter_have_its_line_and_column() -> None:
    text = """\
dag:
  id: d
  params:
    Region: {}
    day:
      type: date
      default: 2026-02-30
    size:
      type: integer
      choices:
        - 1
        - two
    kind: {enum: [a]}
tasks:
- {id: t, script: s}
"""
    found = compile_yaml(text.encode(), "d.yaml").diagnostics
    assert [(item.line, item.column, item.key) for item in found] == [
        (4, 5, "Region"),
        (7, 16, "params.day"),
        (12, 11, "params.size"),
        (13, 12, "params.kind"),
    ]


def test_python_reads_dates_and_tuples_and_locates_problems(tmp_path: Path) -> None:
    source = """
import datetime
d = Dag("d", params={"day": {"type": "date", "default": datetime.date(2026, 3, 1)}, "n": {"choices": ("a", "b")}})
d.task("x", script="s")
"""
    params = spec_of(compiled(tmp_path, source)).to_json()["params"]
    assert params == {
        "day": {"type": "date", "default": "2026-03-01"},
        "n": {"type": "string", "choices": ["a", "b"]},
    }
    wrong = """
d = Dag("d", params={"day": {"type": "date", "default": 5}, "n": object()}, retry_delay="5", catchup_window="x")
d.task("x", script="s", retry_delay="90", retries="3")
"""
    found = problems_of(compiled(tmp_path, wrong))
    assert [(line, task, key) for line, task, key, _ in found] == [
        (3, None, "catchupWindowMs"),
        (3, None, "retryDelayMs"),
        (4, "x", "retryDelayMs"),
        (3, None, "params.day"),
        (3, None, "n"),
        (4, "x", "retries"),
    ]


def test_params_from_a_container_are_checked_on_the_host_again() -> None:
    payload = b'{"dags":[{"id":"d","params":{"p":{"type":"x"}},"tasks":[{"id":"t","script":"s"}]}],"diagnostics":[]}'
    result = decode(payload)
    assert result.dags == ()
    assert "'x' is not a type" in result.diagnostics[0].message


values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=3)
    | st.lists(st.text(max_size=1))
)


@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "C"]),
        st.fixed_dictionaries(
            {},
            optional={
                "type": st.sampled_from([*PARAM_TYPES, "x"]) | values,
                "default": values,
                "required": values,
                "choices": st.lists(values, max_size=3) | values,
                "description": values,
            },
        )
        | values,
    )
)
def test_any_params_give_problems_or_a_spec_that_reads_the_same(params: dict[str, object]) -> None:
    spec, problems = validate(dag(params))
    assert (spec is None) == bool(problems)
    if spec is not None:
        assert validate(spec.to_json()).spec == spec
