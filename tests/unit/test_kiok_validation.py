"""The rules of a DAG in wire form."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiok.problems import MAX_PROBLEMS
from kiok.spec import TASK_TYPES
from kiok.validation import MAX_TASKS, validate
from tests.support.validated import good, only_problem


def dag(*tasks: object, **fields: object) -> dict[str, Any]:
    return {"id": "d", "tasks": list(tasks) or [shell("a")], **fields}


def shell(id: object, **fields: object) -> dict[str, Any]:
    return {"id": id, "script": "echo", **fields}


def test_missing_and_null_optional_keys_get_their_defaults() -> None:
    bare = good(dag())
    nulls = dict.fromkeys(("name", "description", "schedule", "catchup", "defaultTimeoutMs", "owner", "tags"))
    task_nulls = dict.fromkeys(("type", "requires", "timeoutMs", "config"))
    assert bare == good(dag(shell("a", **task_nulls), **nulls))
    assert bare.to_json() == {
        "id": "d",
        "name": "d",
        "description": None,
        "schedule": None,
        "catchup": False,
        "defaultTimeoutMs": None,
        "tasks": [
            {
                "id": "a",
                "type": "shell",
                "script": "echo",
                "requires": [],
                "timeoutMs": None,
                "config": {},
            }
        ],
    }


def test_spec_is_read_as_it_was_written() -> None:
    spec = good(
        dag(
            shell("a", timeoutMs=5, config={"k": "ä ${conn.x.y} #{ now }"}),
            {"id": "b", "type": "http", "requires": ["a"], "config": {"url": "u"}},
            name="Name",
            description="text",
            schedule="*/5 * * * *",
            catchup=True,
            defaultTimeoutMs=2**63 - 1,
            owner="Équipe <b>x</b> \U0001f600",
            tags=["b", "a", "A/1.x:y_z-"],
        )
    )
    again = good(json.loads(spec.canonical_json()))
    assert again == spec
    assert again.sha256 == spec.sha256
    assert spec.to_json()["owner"] == "Équipe <b>x</b> \U0001f600"
    assert spec.to_json()["tags"] == ["b", "a", "A/1.x:y_z-"]


@pytest.mark.parametrize("id_", ["a", "0", "A.b_c-d", "x" * 250])
def test_id_of_letters_digits_and_marks_is_accepted(id_: str) -> None:
    assert good(dag(shell(id_), id=id_)).id == id_


@pytest.mark.parametrize(
    "id_", ["", " a", "-a", ".a", "_a", "a b", "a\n", "ä", "a/b", "x" * 251, "a\x00", "\ud800"]
)
def test_other_id_is_refused_with_the_rule(id_: str) -> None:
    problem = only_problem(dag(id=id_))
    assert problem.key == "id"
    assert problem.location == ("id",)
    assert "1 to 250 characters" in problem.message


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("id", 5, "must be a string, found the number 5 (write it in quotes)"),
        ("id", None, "an id is required"),
        ("name", "  ", "must not be blank"),
        ("name", ["x"], "must be a string, found a list of 1"),
        ("description", "a\x00b", "holds a NUL character (character 2, line 1 of the text)"),
        ("description", "a\n\udc00", "holds the lone surrogate U+DC00 (character 3, line 2 of the text)"),
        ("schedule", "* * * *", "has 4 fields"),
        ("schedule", 5, "must be a string"),
        ("catchup", 1, "must be true or false, found the number 1"),
        ("catchup", "yes", "must be true or false, found 'yes'"),
        ("defaultTimeoutMs", True, "must be a whole number of milliseconds, found true"),
        ("defaultTimeoutMs", 1.0, "must be a whole number of milliseconds, found the number 1.0"),
        ("defaultTimeoutMs", 0, "must be greater than 0"),
        ("defaultTimeoutMs", -5, "must be greater than 0"),
        ("defaultTimeoutMs", 2**63, "within 64 bits"),
        pytest.param("defaultTimeoutMs", 10**5000, "of 16610 bits", id="5000 digits"),
        ("defaultTimeoutMs", float("nan"), "found the number nan"),
        ("tasks", None, "needs a list of tasks"),
        ("tasks", {}, "must be a list of tasks, found a mapping of 0"),
        ("tasks", [], "1 to 10000 tasks, found 0"),
    ],
)
def test_wrong_dag_field_is_named_with_the_found_value(key: str, value: object, message: str) -> None:
    problem = only_problem(dag(**{key: value}))
    assert message in problem.message
    assert problem.key == key


@pytest.mark.parametrize(
    ("fields", "key", "message"),
    [
        ({"type": "bash"}, "type", "allowed: shell, python, http"),
        ({"type": "Shell"}, "type", "did you mean 'shell'?"),
        ({"script": None}, "script", "needs a script, found none"),
        ({"script": " \n"}, "script", "needs a script, found a blank one"),
        ({"script": 7}, "script", "must be a string"),
        ({"requires": "b"}, "requires", "must be a list of task ids, found 'b'"),
        ({"requires": [None]}, "requires", "must be a string, found null"),
        ({"requires": ["a"]}, "requires", "a task cannot require itself"),
        ({"requires": ["bb"]}, "requires", "no task of this DAG has the id 'bb'"),
        ({"timeoutMs": "90s"}, "timeoutMs", "must be a whole number of milliseconds, found '90s'"),
        ({"config": []}, "config", "must be a mapping"),
        ({"config": {" ": "x"}}, "config", "must be a non-blank string"),
        ({"config": {5: "x"}}, "config", "must be a non-blank string, found the number 5"),
        ({"config": {"k": 5}}, "k", "a config value must be a string here, found the number 5"),
        ({"config": {"k": "\x00"}}, "k", "holds a NUL character"),
        ({"config": {"k\x00": "v"}}, "config", "holds a NUL character"),
        ({"requirse": []}, "requirse", "unknown key 'requirse'; did you mean 'requires'?"),
    ],
)
def test_wrong_task_field_is_named_with_task_and_key(
    fields: dict[str, object], key: str, message: str
) -> None:
    problem = only_problem(dag({**shell("a"), **fields}))
    assert message in problem.message
    assert (problem.dag, problem.task, problem.key) == ("d", "a", key)
    assert problem.location[:2] == ("tasks", 0)


NEEDS = {
    "shell": ({"script": "x"}, {}),
    "python": ({"script": "x"}, {}),
    "http": ({}, {"url": "x"}),
    "livy": ({}, {"livy.url": "x", "livy.file": "x"}),
    "trino": ({"script": "x"}, {"trino.url": "x", "trino.user": "x"}),
    "ontul": ({"script": "x"}, {"ontul.url": "x"}),
    "python_callable": ({}, {"module": "x", "callable": "x"}),
    "java": ({}, {"class": "x"}),
}


def test_every_task_type_is_in_the_table_of_this_test() -> None:
    assert set(NEEDS) == set(TASK_TYPES)


@pytest.mark.parametrize("type_", TASK_TYPES)
def test_task_needs_exactly_the_required_keys_of_its_type(type_: str) -> None:
    fields, config = NEEDS[type_]
    good(dag({"id": "a", "type": type_, "config": config, **fields}))
    for key in config:
        less = {other: value for other, value in config.items() if other != key}
        assert only_problem(dag({"id": "a", "type": type_, "config": less, **fields})).key == key
        blank = config | {key: " "}
        assert (
            "must not be blank"
            in only_problem(dag({"id": "a", "type": type_, "config": blank, **fields})).message
        )
    for key in fields:
        assert only_problem(dag({"id": "a", "type": type_, "config": config})).key == key


@pytest.mark.parametrize("job_type", ["CLASS", "PYTHON"])
def test_ontul_job_that_runs_a_program_needs_no_script(job_type: str) -> None:
    good(dag({"id": "a", "type": "ontul", "config": {"ontul.url": "u", "ontul.jobType": job_type}}))


def test_misspelled_config_key_is_named_if_the_right_one_is_missing() -> None:
    problem = only_problem(dag({"id": "a", "type": "livy", "config": {"livy.urls": "u", "livy.file": "f"}}))
    assert "is it misspelled as 'livy.urls'?" in problem.message


def test_all_problems_are_reported_together_with_their_places() -> None:
    value = dag(
        shell("a", requires=["b", "b"]),
        shell("b", timeoutMs=0),
        shell("b"),
        shell(None),
        "task",
        schedule="bad",
        extra=1,
    )
    found = [(problem.location, problem.key) for problem in validate(value).problems]
    assert found == [
        (("extra",), "extra"),
        (("schedule",), "schedule"),
        (("tasks", 1, "timeoutMs"), "timeoutMs"),
        (("tasks", 3), "id"),
        (("tasks", 4), "tasks"),
        (("tasks", 2, "id"), "id"),
        (("tasks", 0, "requires", 1), "requires"),
    ]


def test_cycle_is_printed_from_its_first_task() -> None:
    tasks = (
        shell("a"),
        shell("b", requires=["a", "d"]),
        shell("c", requires=["b"]),
        shell("d", requires=["c"]),
    )
    problem = only_problem(dag(*tasks))
    assert problem.message.endswith("in a cycle: b -> d -> c -> b")
    assert problem.location == ("tasks", 1, "requires")


def test_two_cycles_are_both_printed() -> None:
    tasks = [shell(x, requires=[y]) for x, y in ("ab", "ba", "cd", "dc")]
    messages = [problem.message for problem in validate(dag(*tasks)).problems]
    assert [message.rpartition(": ")[2] for message in messages] == ["a -> b -> a", "c -> d -> c"]


def test_unknown_task_id_suggests_a_similar_one() -> None:
    problem = only_problem(dag(shell("extract"), shell("load", requires=["extarct"])))
    assert problem.message == "no task of this DAG has the id 'extarct'; did you mean 'extract'?"


def test_chain_of_ten_thousand_tasks_is_valid_and_a_ring_is_a_cycle() -> None:
    chain = [shell(f"t{n}", requires=[f"t{n - 1}"] if n else []) for n in range(MAX_TASKS)]
    assert len(good(dag(*chain)).tasks) == MAX_TASKS
    chain[0]["requires"] = [f"t{MAX_TASKS - 1}"]
    assert "(9989 more)" in only_problem(dag(*chain)).message
    assert "found 10001" in only_problem(dag(*chain, shell("more"))).message


def test_ten_thousand_tasks_with_similar_ids_are_validated_quickly() -> None:
    started = time.process_time()
    tasks = [shell(f"{'a' * 42}{n}", requires=[f"{'a' * 41}b{n}"], typo=1) for n in range(MAX_TASKS)]
    problems = validate(dag(*tasks)).problems
    assert time.process_time() - started < 30  # it takes two seconds
    assert len(problems) == MAX_PROBLEMS + 1
    assert problems[-1].message == f"... and {2 * MAX_TASKS - MAX_PROBLEMS} more"


def test_deeply_nested_values_are_refused_without_recursion() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for value in (deep, dag(deep), dag(shell("a", config={"k": deep})), dag(id=deep), dag(name=deep)):
        assert validate(value).spec is None
    while deep:  # freeing it in one go would recurse
        deep = deep.pop()


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(categories=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
task_like = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(["a", "b", "c"]) | json_like,
        "type": st.sampled_from(TASK_TYPES) | json_like,
        "script": json_like,
        "requires": st.lists(st.sampled_from(["a", "b", "c"])) | json_like,
        "timeoutMs": json_like,
        "config": st.dictionaries(st.text(), st.text() | json_like, max_size=3) | json_like,
    },
)
dag_like = st.fixed_dictionaries(
    {},
    optional={
        "id": st.just("d") | json_like,
        "name": json_like,
        "schedule": st.text("0123456789*/,- ", max_size=12) | json_like,
        "catchup": json_like,
        "defaultTimeoutMs": json_like,
        "owner": st.text(max_size=3) | json_like,
        "tags": st.lists(st.sampled_from(["a", "b:c", " "]), max_size=3) | json_like,
        "timezone": st.sampled_from(["UTC", "X"]) | json_like,
        "overlap": st.sampled_from(["skip", "x"]) | json_like,
        "maxActiveRuns": json_like,
        "catchupWindowMs": json_like,
        "params": json_like,
        "retries": json_like,
        "retryDelayMs": json_like,
        "tasks": st.lists(task_like, max_size=4) | json_like,
    },
)


@given(json_like | dag_like)
def test_any_json_value_is_refused_or_can_be_stored(value: object) -> None:
    spec, problems = validate(value)
    assert (spec is None) == bool(problems)
    for problem in problems:
        problem.message.encode()
    if spec is not None:
        text = spec.canonical_json()
        assert "\x00" not in text
        assert good(json.loads(text.encode())) == spec


@given(st.dictionaries(st.text(), st.text(), max_size=5), st.randoms())
def test_canonical_json_does_not_depend_on_key_order(config: dict[str, str], random: Any) -> None:
    shuffled = list(config.items())
    random.shuffle(shuffled)
    one, other = (validate(dag(shell("a", config=dict(pairs)))).spec for pairs in (config.items(), shuffled))
    if one is not None and other is not None:
        assert one.canonical_json() == other.canonical_json()
        assert one.sha256 == other.sha256
    assert (one is None) == (other is None)
