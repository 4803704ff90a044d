"""The authoring API of Python: builders, and their problems."""

from __future__ import annotations

from pathlib import Path

import pytest

import kiok
from kiok import Dag, Task, conn, secret
from kiok.labels import OWNER_RULE, TAG_RULE
from tests.unit.python_sources import compiled, problems_of, spec_of


def test_public_names_are_the_authoring_api() -> None:
    assert kiok.__all__ == ["Dag", "Task", "conn", "secret"]
    assert set(kiok.__all__) <= set(dir(kiok))
    from kiok.dag import Dag as from_module

    assert from_module is Dag
    with pytest.raises(AttributeError, match="it has Dag, Task, conn, secret"):
        kiok.dags  # type: ignore[attr-defined]  # noqa: B018


def test_documented_example_compiles(tmp_path: Path) -> None:
    spec = spec_of(
        compiled(
            tmp_path,
            """
dag = Dag("regional", schedule="0 3 * * *", catchup=False, default_timeout="30m")
dag.task("setup", script="#!/bin/bash\\necho prepare")
for region in ("eu", "us"):
    dag.task("load_" + region, task_type="python", requires=["setup"],
             script="print('%s')" % region, timeout="5m", config={"slot": 1})
""",
        )
    )
    assert (spec.id, spec.schedule, spec.default_timeout_ms) == ("regional", "0 3 * * *", 1_800_000)
    assert [task.id for task in spec.tasks] == ["setup", "load_eu", "load_us"]
    assert spec.tasks[1].to_json() == {
        "id": "load_eu",
        "type": "python",
        "script": "print('eu')",
        "requires": ["setup"],
        "timeoutMs": 300_000,
        "config": {"slot": "1"},
    }


def test_builders_write_their_config_keys_except_none(tmp_path: Path) -> None:
    spec = spec_of(
        compiled(
            tmp_path,
            """
d = Dag("d")
a = d.http("a", "https://x", method="POST", headers={"B": "1", "A": "2"}, body={"k": [1, None]}, timeout="90s")
b = d.livy("b", url="u", file="f", class_name="C", args=["10"], conf={"z": "1", "a": "2"}, jars=["j"],
           driver_memory="1g", executor_memory="2g", num_executors=3, queue="q", name="n", proxy_user="p",
           poll_interval_ms=1000, requires=a)
c = d.trino("c", "u", conn("t", "user"), "SELECT 1", password=secret("p"), catalog="c", schema="s", source="o",
            poll_interval_ms=5, requires=[a, "b"])
e = d.ontul("e", "u", token="t", job_type="CLASS", class_name="C", deps=["d"], args={"b": 1, "a": 2},
            job_config={"x.y": True}, config={"extra": 1.5})
f = d.ontul("f", "u", sql="SELECT 1")
""",
        )
    )
    configs = {task.id: dict(task.config) for task in spec.tasks}
    assert configs == {
        "a": {"url": "https://x", "method": "POST", "headers": '{"A":"2","B":"1"}', "body": '{"k":[1,null]}'},
        "b": {
            "livy.url": "u",
            "livy.file": "f",
            "livy.className": "C",
            "livy.args": '["10"]',
            "livy.conf": '{"a":"2","z":"1"}',
            "livy.jars": '["j"]',
            "livy.driverMemory": "1g",
            "livy.executorMemory": "2g",
            "livy.numExecutors": "3",
            "livy.queue": "q",
            "livy.name": "n",
            "livy.proxyUser": "p",
            "livy.pollIntervalMs": "1000",
        },
        "c": {
            "trino.url": "u",
            "trino.user": "${conn.t.user}",
            "trino.password": "${secret.p}",
            "trino.catalog": "c",
            "trino.schema": "s",
            "trino.source": "o",
            "trino.pollIntervalMs": "5",
        },
        "e": {
            "ontul.url": "u",
            "ontul.token": "t",
            "ontul.jobType": "CLASS",
            "ontul.className": "C",
            "ontul.deps": '["d"]',
            "ontul.args": '{"a":2,"b":1}',
            "ontul.jobConfig": '{"x.y":true}',
            "extra": "1.5",
        },
        "f": {"ontul.url": "u", "ontul.jobType": "BATCH"},
    }
    assert [task.requires for task in spec.tasks] == [(), ("a",), ("a", "b"), (), ()]
    assert [task.script for task in spec.tasks] == [None, None, "SELECT 1", None, "SELECT 1"]
    assert spec.tasks[0].timeout_ms == 90_000


def test_an_owner_and_tags_are_compiled(tmp_path: Path) -> None:
    result = compiled(
        tmp_path,
        """
d = Dag("d", owner="Sales", tags=("b", "a"))
d.task("x", script="s")
""",
    )
    (spec,) = result.dags
    assert (spec.owner, spec.tags) == ("Sales", ("b", "a"))


def test_a_wrong_owner_or_tag_has_the_line_of_the_dag(tmp_path: Path) -> None:
    result = compiled(
        tmp_path,
        """
d = Dag("d", owner=5, tags={"a"})
d.task("x", script="s")
e = Dag("e", owner=" x", tags=["a", "b c"])
e.task("x", script="s")
""",
    )
    assert [(line, key, message) for line, _task, key, message in problems_of(result)] == [
        (3, "owner", "must be a string, found the number 5 (write it in quotes)"),
        (3, "tags", "must be a list of tags, found a value of the Python type set"),
        (5, "owner", f"' x' is not an owner; allowed: {OWNER_RULE}"),
        (5, "tags", f"'b c' is not a tag; allowed: {TAG_RULE}"),
    ]
    assert [diagnostic.dag for diagnostic in result.diagnostics] == ["d", "d", "e", "e"]


def test_problem_has_the_line_of_its_call(tmp_path: Path) -> None:
    result = compiled(
        tmp_path,
        """
d = Dag("d", default_timeout=5, schedule="bad")
x = d.task("x", script="s", timeout="5")
d.task(
    "y",
    requires=["x", "nope"],
    config={"k": object(), "n": float("nan"), "big": 2**64, "nul": "\\0"},
)
d.task("z", script="s", requires={"x"}, config=[1])
d.http("h", "u", config={"url": "v"})
d.ontul("o", "u", sql="a", script="b")
d.task("t", script="s", task_type="shell", type="python")
d.task("u", script="s", type="python")
""",
    )
    found = problems_of(result)
    assert result.dags == ()
    assert [(line, task, key) for line, task, key, _message in found] == [
        (3, None, "defaultTimeoutMs"),
        (4, "x", "timeoutMs"),
        (5, "y", "k"),
        (5, "y", "n"),
        (5, "y", "big"),
        (5, "y", "nul"),
        (11, "h", "url"),
        (12, "o", "script"),
        (13, "t", "type"),
        (3, None, "schedule"),
        (5, "y", "script"),
        (10, "z", "requires"),
        (10, "z", "config"),
        (5, "y", "requires"),
    ]
    assert all(diagnostic.path == str(tmp_path / "dags.py") for diagnostic in result.diagnostics)
    assert "the Python type object cannot be a config value" in found[2][3]


def test_problem_in_a_helper_names_both_files(tmp_path: Path) -> None:
    (tmp_path / "common_tasks.py").write_text("def add(dag):\n    dag.task('x')\n")
    source = 'import common_tasks\nd = Dag("d")\n\ncommon_tasks.add(d)\n'
    (found,) = problems_of(compiled(tmp_path, source))
    assert found[0] == 5
    assert found[3].endswith("(called at common_tasks.py:2)")


def test_requiring_a_task_of_another_dag_is_a_problem(tmp_path: Path) -> None:
    source = 'a = Dag("a")\nt = a.task("t", "s")\nb = Dag("b")\nb.task("u", "s", requires=t)\n'
    result = compiled(tmp_path, source)
    assert [dag.id for dag in result.dags] == ["a"]
    assert problems_of(result) == [(5, "u", "requires", "the task 't' belongs to another DAG, 'a'")]


def test_config_is_copied_when_the_task_is_created(tmp_path: Path) -> None:
    spec = spec_of(
        compiled(
            tmp_path,
            """
from enum import Enum, IntEnum
class S(str, Enum):
    A = "eu"
class N(IntEnum):
    ONE = 1
shared = {"n": N.ONE, "s": S.A, "l": (N.ONE, S.A, {"deep": S.A})}
d = Dag(S.A)
d.task(S.A, script="s", config=shared)
shared["n"] = 2
""",
        )
    )
    assert (spec.id, spec.tasks[0].id) == ("eu", "eu")
    assert dict(spec.tasks[0].config) == {"n": "1", "s": "eu", "l": '[1,"eu",{"deep":"eu"}]'}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("deep", "nested deeper than 50"),
        ("cyclic", "nested deeper than 50"),
        ("bomb", "more than 200000 values"),
        ("{1: 'a', '1': 'b'}", "has the key '1' twice"),
        ("{'k': {1, 2}}", "the Python type set"),
        ("[float('inf')]", "not finite"),
        ("['\\ud800']", "lone surrogate"),
    ],
)
def test_config_values_that_json_cannot_hold_are_problems(tmp_path: Path, value: str, expected: str) -> None:
    source = f"""
deep = []
for _ in range(100_000): deep = [deep]
cyclic = []; cyclic.append(cyclic)
bomb = 1
for _ in range(10): bomb = [bomb] * 10
d = Dag("d"); d.task("a", "s", config={{"k": {value}}})
while deep: deep = deep.pop()
"""
    ((line, task, key, message),) = problems_of(compiled(tmp_path, source))
    assert (line, task, key) == (8, "a", "k")
    assert expected in message


def test_references_are_kept_as_text_and_malformed_ones_refused() -> None:
    assert conn("db", "user.name") == "${conn.db.user.name}"
    assert secret("token") == "${secret.token}"
    for wrong in ("", " ", "a}b", "a b", "a\n", "$x", None, 5):
        with pytest.raises(ValueError, match="cannot be part of a reference"):
            secret(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"connection id 'a\.b'"):
        conn("a.b", "key")


def test_representation_of_tasks_and_dags_has_their_id() -> None:
    dag = Dag("d")
    task = dag.task("a", "s")
    assert isinstance(task, Task)
    assert (repr(dag), repr(task)) == ("<Dag 'd'>", "<Task 'a'>")
