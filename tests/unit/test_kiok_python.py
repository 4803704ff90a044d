"""DAGs written in Python: the authoring API, and running a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import kiok
from kiok import Dag, Task, conn, secret
from kiok.compile import compile_python_file
from kiok.compiled import CompiledFile
from kiok.spec import DagSpec


def compiled(folder: Path, source: str, name: str = "dags.py", roots: tuple[Path, ...] = ()) -> CompiledFile:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("from kiok import Dag, Task, conn, secret\n" + source)
    return compile_python_file(file, roots)


def spec_of(result: CompiledFile) -> DagSpec:
    assert result.diagnostics == ()
    assert len(result.dags) == 1
    return result.dags[0]


def problems_of(result: CompiledFile) -> list[tuple[int | None, str | None, str | None, str]]:
    assert not result.import_failed, result.diagnostics
    return [(found.line, found.task, found.key, found.message) for found in result.diagnostics]


def test_the_public_names_are_the_authoring_api() -> None:
    assert kiok.__all__ == ["Dag", "Task", "conn", "secret"]
    assert set(kiok.__all__) <= set(dir(kiok))
    from kiok.dag import Dag as from_module

    assert from_module is Dag
    with pytest.raises(AttributeError, match="it has Dag, Task, conn, secret"):
        kiok.dags  # type: ignore[attr-defined]  # noqa: B018


def test_the_documented_example_compiles(tmp_path: Path) -> None:
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


def test_builders_name_their_config_keys_and_leave_out_what_is_none(tmp_path: Path) -> None:
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


def test_every_problem_has_the_line_of_its_call(tmp_path: Path) -> None:
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


def test_a_problem_made_in_a_helper_names_both_files(tmp_path: Path) -> None:
    (tmp_path / "common_tasks.py").write_text("def add(dag):\n    dag.task('x')\n")
    source = 'import common_tasks\nd = Dag("d")\n\ncommon_tasks.add(d)\n'
    (found,) = problems_of(compiled(tmp_path, source))
    assert found[0] == 5
    assert found[3].endswith("(called at common_tasks.py:2)")


def test_a_task_of_another_dag_cannot_be_required(tmp_path: Path) -> None:
    source = 'a = Dag("a")\nt = a.task("t", "s")\nb = Dag("b")\nb.task("u", "s", requires=t)\n'
    result = compiled(tmp_path, source)
    assert [dag.id for dag in result.dags] == ["a"]
    assert problems_of(result) == [(5, "u", "requires", "the task 't' belongs to another DAG, 'a'")]


def test_config_is_taken_when_the_task_is_made_and_enums_count_as_their_values(tmp_path: Path) -> None:
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
    ("value", "said"),
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
def test_config_values_that_cannot_be_written_are_problems(tmp_path: Path, value: str, said: str) -> None:
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
    assert said in message


def test_references_stay_literal_and_wrong_ones_are_refused() -> None:
    assert conn("db", "user.name") == "${conn.db.user.name}"
    assert secret("token") == "${secret.token}"
    for wrong in ("", " ", "a}b", "a b", "a\n", "$x", None, 5):
        with pytest.raises(ValueError, match="cannot be part of a reference"):
            secret(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"connection id 'a\.b'"):
        conn("a.b", "key")


def test_every_dag_that_a_module_name_holds_is_compiled_once_in_the_order_they_were_made(
    tmp_path: Path,
) -> None:
    (tmp_path / "shared_dags.py").write_text(
        "from kiok import Dag\nborrowed = Dag('borrowed')\nborrowed.task('a', 's')\n"
    )
    source = """
from shared_dags import borrowed
late = None
first = Dag("first"); first.task("a", "s")
late = Dag("second"); late.task("a", "s")
again = first
class Mine(Dag): pass
Dag = Mine("third"); Dag.task("a", "s")
class Proxy:
    @property
    def __class__(self): raise SystemExit("touched")
proxy = Proxy()
"""
    result = compiled(tmp_path, source)
    assert result.diagnostics == ()
    assert [dag.id for dag in result.dags] == ["borrowed", "first", "second", "third"]
    assert result.keyed


def test_a_module_without_a_dag_is_no_dag_file(tmp_path: Path) -> None:
    assert compiled(tmp_path, "x = 1\n") == CompiledFile()


def test_of_two_dags_with_one_id_none_is_taken_and_both_lines_are_named(tmp_path: Path) -> None:
    source = 'a = Dag("same"); a.task("t", "s")\nb = Dag("ok"); b.task("t", "s")\nc = Dag("same"); c.task("t", "s")\n'
    result = compiled(tmp_path, source)
    assert [dag.id for dag in result.dags] == ["ok"]
    assert [(line, key) for line, _task, key, _message in problems_of(result)] == [(2, "id"), (4, "id")]


@pytest.mark.parametrize(
    ("source", "line", "said"),
    [
        ("x = 1\n1 / 0\n", 3, "ZeroDivisionError: division by zero"),
        ("import no_such_module\n", 2, "ModuleNotFoundError: No module named 'no_such_module' (looked in"),
        ("def f(:\n", 2, "SyntaxError: invalid syntax"),
        ("x = '\\ud800'\nraise ValueError(x)\n", 3, "ValueError: \\ud800"),
        ("import sys\nsys.exit(3)\n", 3, "SystemExit: 3"),
        ("raise KeyboardInterrupt\n", 2, "KeyboardInterrupt"),
        ("def f(): f()\nf()\n", 2, "RecursionError"),
        (
            "class E(Exception):\n def __str__(self): raise SystemExit\nraise E\n",
            4,
            "E: (its text cannot be had: SystemExit)",
        ),
        ("class E(BaseException):\n def __str__(self): return 'x' * 10**6\nraise E\n", 4, "xxx"),
        (
            "class M(type):\n def __getattribute__(s, n): raise SystemExit\n"
            "class E(Exception, metaclass=M): pass\nraise E\n",
            5,
            "E",
        ),
        ("d = Dag('d')\nd.task('a', depends_on=[])\n", 3, "unexpected keyword argument 'depends_on'"),
        ("secret('')\n", 2, "ValueError: the secret name '' cannot be part of a reference"),
    ],
)
def test_a_module_that_fails_gives_the_line_and_the_reason(
    tmp_path: Path, source: str, line: int, said: str
) -> None:
    result = compiled(tmp_path, source)
    assert result.import_failed
    assert result.dags == ()
    (found,) = result.diagnostics
    assert found.line == line
    assert said in found.message
    assert len(found.message) < 4_100
    assert json.loads(result.encode())["diagnostics"][0]["line"] == line


def test_source_that_is_not_python_at_all_fails_like_any_other(tmp_path: Path) -> None:
    for content in (
        b"x = '\x00'",
        b"\xff\xfe",
        b"# coding: no-such\n",
        b"(" * 100_000,
        b"x" + b"+x" * 100_000,
    ):
        (tmp_path / "odd.py").write_bytes(content)
        result = compile_python_file(tmp_path / "odd.py")
        assert result.import_failed
        assert len(result.diagnostics) == 1
    assert (
        compile_python_file(tmp_path / "none.py").diagnostics[0].message.startswith("the file cannot be read")
    )


def test_a_failure_in_a_helper_names_the_import_and_the_way_there(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "failing_helper.py").write_text("def f():\n    raise KeyError('k')\nf()\n")
    (tmp_path / "lib" / "broken_helper.py").write_text("x = (\n")
    roots = (tmp_path / "lib", tmp_path)
    failing = compiled(tmp_path, "import failing_helper\n", "dags/a.py", roots).diagnostics[0]
    assert failing.line == 2
    assert "at lib/failing_helper.py:2 in f" in failing.message
    broken = compiled(tmp_path, "\nimport broken_helper\n", "dags/a.py", roots).diagnostics[0]
    assert broken.line == 3
    assert "(lib/broken_helper.py, line 1)" in broken.message


def test_imports_find_own_folder_then_subpath_then_root(tmp_path: Path) -> None:
    for folder in ("sub/dags", "sub", "."):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        for level, name in enumerate(("where_root", "where_sub", "where_own")):
            if level <= len(Path(folder).parts):
                (tmp_path / folder / f"{name}.py").write_text(f"here = {folder!r}\n")
    source = """
import where_own, where_sub, where_root
d = Dag("d", description=" ".join((where_own.here, where_sub.here, where_root.here)))
d.task("a", "s")
"""
    spec = spec_of(compiled(tmp_path, source, "sub/dags/d.py", (tmp_path / "sub", tmp_path)))
    assert spec.description == "sub/dags sub/dags sub/dags"
    for name in ("where_sub", "where_root"):
        (tmp_path / "sub/dags" / f"{name}.py").unlink()
    (tmp_path / "sub" / "where_root.py").unlink()
    spec = spec_of(compiled(tmp_path, source, "sub/dags/d.py", (tmp_path / "sub", tmp_path)))
    assert spec.description == "sub/dags sub ."


def test_nothing_in_the_repository_stands_in_for_the_standard_library_or_kiok(tmp_path: Path) -> None:
    for name in ("colorsys", "wave", "kiok", "json"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('a repository file was imported')\n")
    sys.modules.pop("colorsys", None)
    sys.modules.pop("wave", None)
    source = "import colorsys, wave, json, kiok.refs\nd = Dag('d')\nd.task('a', 's')\n"
    spec_of(compiled(tmp_path, source, roots=(tmp_path,)))


@pytest.mark.parametrize("name", ["json.py", "kiok.py", "__main__.py", "my-dag.py", "pytest.py"])
def test_a_file_may_have_the_name_of_any_module_and_is_never_main(tmp_path: Path, name: str) -> None:
    before = dict(sys.modules)
    source = (
        f"assert __name__ != '__main__'\nassert __file__.endswith({name!r})\nd = Dag('d')\nd.task('a', 's')\n"
    )
    spec_of(compiled(tmp_path, source, name))
    assert dict(sys.modules) == before


def test_files_compiled_in_one_process_do_not_see_each_others_helpers(tmp_path: Path) -> None:
    path, modules = sys.path[:], set(sys.modules)
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same_name.py").write_text(f"id = {folder!r}\n")
        source = "import same_name\nd = Dag(same_name.id)\nd.task('a', 's')\n"
        assert spec_of(compiled(tmp_path / folder, source)).id == folder
    assert sys.path == path
    assert not {name for name in set(sys.modules) - modules if "same_name" in name}
    assert not list(tmp_path.rglob("__pycache__"))


def test_a_dag_that_cannot_even_be_read_is_a_problem_of_its_own(tmp_path: Path) -> None:
    source = """
class Hostile(Dag):
    @property
    def tasks(self): raise SystemExit("no")
    @tasks.setter
    def tasks(self, value): pass
bad = Hostile("bad")
class Unborn(Dag):
    def __init__(self): pass
unborn = Unborn()
good = Dag("good"); good.task("a", "s")
"""
    result = compiled(tmp_path, source)
    assert [dag.id for dag in result.dags] == ["good"]
    assert len(result.diagnostics) == 2
    assert all("a DAG cannot be read" in found.message for found in result.diagnostics)


def test_tasks_and_dags_show_themselves_by_id() -> None:
    dag = Dag("d")
    task = dag.task("a", "s")
    assert isinstance(task, Task)
    assert (repr(dag), repr(task)) == ("<Dag 'd'>", "<Task 'a'>")
