"""DAGs that no module-level name of a Python file refers to, and files that create no DAG."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest

import kiok.creations
from kiok.compile import compile_python_file
from kiok.compiled import CompiledFile
from kiok.errors import Diagnostic
from tests.unit.python_sources import compiled

TASK = ".task('a', 's')\n"
MANY = "".join(f"make('d{number}')\n" for number in range(20))


def lost(result: CompiledFile) -> Diagnostic:
    (problem,) = result.diagnostics
    assert not result.import_failed
    return problem


@pytest.mark.parametrize(
    ("source", "ids", "line", "counts", "listed"),
    [
        ("dags = [Dag('x')]\n", [], 2, "1 DAG was created, none is", "'x' (line 2, in the list dags)"),
        (
            "dags = {'k': Dag('x')}\nt = (Dag('y'),)\n",
            [],
            2,
            "2 DAGs were created, none is",
            "'x' (line 2, in the dict dags), 'y' (line 3, in the tuple t)",
        ),
        ("s = {Dag('x')}\n", [], 2, "1 DAG was created, none is", "'x' (line 2, in the set s)"),
        ("class C:\n  d = Dag('x')\n", [], 3, "1 DAG was created, none is", "'x' (line 3, in the class C)"),
        (
            "for r in 'abc':\n  dag = Dag(r); dag.task('a', 's')\n",
            ["c"],
            3,
            "3 DAGs were created, 1 is",
            "'a' (line 3), 'b' (line 3)",
        ),
        (
            "a = Dag('a'); a.task('a', 's')\nb = Dag('b'); b.task('a', 's')\nDag('c')\n",
            ["a", "b"],
            4,
            "3 DAGs were created, 2 are",
            "'c' (line 4)",
        ),
        (
            "dag = Dag('x')\ndag = Dag('x'); dag.task('a', 's')\n",
            ["x"],
            2,
            "2 DAGs were created, 1 is",
            "'x' (line 2)",
        ),
        ("def f():\n  d = Dag('x')\nf()\n", [], 3, "1 DAG was created, none is", "'x' (line 3)"),
        ("(lambda: Dag('x'))()\n", [], 2, "1 DAG was created, none is", "'x' (line 2)"),
        ("dag = Dag('x')\ndel dag\n", [], 2, "1 DAG was created, none is", "'x' (line 2)"),
        ("class Mine(Dag): pass\nMine('x')\n", [], 3, "1 DAG was created, none is", "'x' (line 3)"),
        ("try:\n  Dag('x')\nfinally:\n  pass\n", [], 3, "1 DAG was created, none is", "'x' (line 3)"),
        (
            "import threading\nt = threading.Thread(target=lambda: Dag('x'))\nt.start(); t.join()\n",
            [],
            3,
            "1 DAG was created, none is",
            "'x' (line 3)",
        ),
        ("exec('Dag(\"x\")')\n", [], 2, "1 DAG was created, none is", "'x' (line 2"),
        (
            "exec('from kiok import Dag\\nDag(\"x\")', {})\n",
            [],
            2,
            "1 DAG was created, none is",
            "'x' (line 2",
        ),
        (
            "import copy\nd = Dag('x'); d.task('a', 's')\ne = [copy.deepcopy(d)]\ne[0].id = 'y'\n",
            ["x"],
            4,
            "2 DAGs were created, 1 is",
            "'y' (line 4, called at python3",
        ),
        (
            "import pickle\nd = Dag('x'); d.task('a', 's')\ne = [pickle.loads(pickle.dumps(d))]\ne[0].id = 'y'\n",
            ["x"],
            4,
            "2 DAGs were created, 1 is",
            "'y' (line 4, in the list e)",
        ),
        (
            "def make(id): Dag(id)\n" + MANY,
            [],
            2,
            "20 DAGs were created, none is",
            "'d9' (line 2), and 10 more",
        ),
        ("Dag(5)\n", [], 2, "1 DAG was created, none is", "null (line 2)"),
    ],
)
def test_dag_without_a_module_level_name_is_an_error_with_its_line(
    tmp_path: Path, source: str, ids: list[str], line: int, counts: str, listed: str
) -> None:
    result = compiled(tmp_path, source)
    assert [dag.id for dag in result.dags] == ids
    problem = lost(result)
    assert problem.line == line
    assert problem.message.startswith(f"{counts} assigned to a module-level name, and only such a DAG is")
    assert f"Not assigned: {listed}" in problem.message or f"{listed}. Give" in problem.message
    assert 'in a loop globals()["dag_" + name] = Dag(...)' in problem.message


def test_dag_of_a_factory_belongs_to_the_file_that_calls_it(tmp_path: Path) -> None:
    (tmp_path / "factory.py").write_text(
        "from kiok import Dag\ndef make(id):\n    d = Dag(id)\n    d.task('a', 's')\n    return d\n"
    )
    problem = lost(compiled(tmp_path, "from factory import make\nkept = make('k')\nmake('x')\n"))
    assert problem.line == 4
    assert "2 DAGs were created, 1 is" in problem.message
    assert "'x' (line 4, called at factory.py:3)" in problem.message


@pytest.mark.parametrize(
    "source",
    [
        "for r in 'ab':\n  globals()[r] = Dag(r); globals()[r].task('a', 's')\n",
        "for r in 'ab':\n  d = globals()[r] = Dag(r); d.task('a', 's')\ndel d\n",
        "dags = [Dag('a'), Dag('b')]\na, b = dags\na.task('a', 's')\nb.task('a', 's')\n",
        # A template, of which only copies are held.
        "import copy\ndef f(id):\n  t = Dag('t'); t.task('a', 's')\n  d = copy.copy(t); d.id = id\n  return d\n"
        "a = f('a')\nb = f('b')\n",
        # Copies that change nothing, as pickling makes.
        "import copy, pickle\na = Dag('a'); a.task('a', 's')\nb = Dag('b'); b.task('a', 's')\n"
        "pickle.loads(pickle.dumps(a))\ncopy.deepcopy(b.tasks)\n",
        "a = b = Dag('a'); a.task('a', 's')\nc = Dag('b'); c.task('a', 's')\n",
        "try:\n  Dag()\nexcept TypeError:\n  pass\na = Dag('a'); a.task('a', 's')\nb = Dag('b'); b.task('a', 's')\n",
    ],
)
def test_held_dags_and_templates_are_not_lost(tmp_path: Path, source: str) -> None:
    result = compiled(tmp_path, source)
    assert (result.diagnostics, sorted(dag.id for dag in result.dags)) == ((), ["a", "b"])


def test_copy_keeps_its_tasks_and_the_slots_of_a_subclass(tmp_path: Path) -> None:
    source = """
import copy
class Slotted(Dag):
    __slots__ = ("extra",)
a = Slotted("a"); a.task("t", "s"); a.extra = 1
b = copy.deepcopy(a); b.id = "b"
assert b.extra == 1 and b.tasks[0].dag is b
"""
    result = compiled(tmp_path, source)
    assert (result.diagnostics, [dag.id for dag in result.dags]) == ((), ["a", "b"])


def test_hostile_subclasses_cannot_break_the_count(tmp_path: Path) -> None:
    source = """
class Hostile(Dag):
    @property
    def __dict__(self): raise SystemExit("no")
    def __eq__(self, other): raise SystemExit("no")
    def __hash__(self): raise SystemExit("no")
Hostile("x")
"""
    assert lost(compiled(tmp_path, source)).line == 8


def test_compiler_keeps_no_reference_to_a_compiled_file(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "from kiok import Dag\nDag.made = Dag('x')\ndag = Dag('y')\ndag.task('a', 's')\n"
    )
    compile_python_file(tmp_path / "a.py")
    from kiok import Dag

    reference = weakref.ref(Dag.made)  # type: ignore[attr-defined]
    del Dag.made  # type: ignore[attr-defined]
    gc.collect()
    assert reference() is None
    assert kiok.creations._recordings == []


def reason(result: CompiledFile) -> tuple[bool, int | None, str]:
    """Return whether the file may be meant to define a DAG, and why it defines none."""
    assert (result.dags, result.diagnostics) == ((), ())
    found = result.doubts[0] if result.doubts else result.not_a_dag
    assert found is not None
    return bool(result.doubts), found.line, found.message


def of(folder: Path, source: str) -> tuple[bool, int | None, str]:
    (folder / "a.py").write_text(source)
    return reason(compile_python_file(folder / "a.py", (folder,)))


@pytest.mark.parametrize(
    ("source", "line", "expected"),
    [
        ("def build():\n  return Dag('x')\n", 3, "the call in line 3 is in 'build', which was not called"),
        (
            "def main():\n  Dag('x')\nif __name__ == '__main__':\n  main()\n",
            3,
            "in 'main', which was not called; code under `if __name__ == \"__main__\":` (line 4) does not run",
        ),
        (
            "if __name__ == '__main__':\n  dag = Dag('x')\n",
            3,
            'the call in line 3 is under `if __name__ == "__main__":` (line 2), which is never true',
        ),
        ("if False:\n  dag = Dag('x')\n", 3, "the call in line 3 was not reached"),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n  d = Dag('x')\n", 4, "was not reached"),
        ("for name in []:\n  globals()[name] = Dag(name)\n", 3, "was not reached"),
        ("class My(Dag): pass\ndef f(): My('x')\n", 3, "the call in line 3 is in 'f'"),
        ("f = lambda: Dag('x')\n", 2, "in 'a lambda', which was not called"),
        ("x = 1\n", 1, "it never calls Dag"),
    ],
)
def test_file_that_imports_dag_and_creates_none_is_in_doubt(
    tmp_path: Path, source: str, line: int, expected: str
) -> None:
    doubt, at, message = reason(compiled(tmp_path, source))
    assert (doubt, at) == (True, line)
    assert message.startswith("it imports Dag (line 1) but creates no DAG: ")
    assert expected in message
    assert "delete the file or list it in .kiokignore" in message


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    from kiok import Dag as D\n    return D('x')\n",
        "import kiok\ndef f():\n    return kiok.Dag('x')\n",
        "import kiok.dag as k\ndef f():\n    return k.Dag('x')\n",
        "from kiok import dag\ndef f():\n    return dag.Dag('x')\n",
        "from kiok import *\ndef f():\n    return Dag('x')\n",
        "from kiok.dag import Dag\n",
        "def f():\n    import kiok.dag\n    return kiok.dag.Dag('x')\n",
        "import importlib\ndef f():\n    return importlib.import_module('kiok').Dag('x')\n",
        "D = getattr(__import__('ki' + 'ok'), 'Dag')\n",
    ],
)
def test_every_form_of_importing_dag_is_recognized(tmp_path: Path, source: str) -> None:
    doubt, _line, message = of(tmp_path, source)
    assert doubt
    assert message.startswith("it imports Dag (line ")


def test_file_that_imports_dag_through_a_helper_names_the_helper(tmp_path: Path) -> None:
    (tmp_path / "factory.py").write_text("from kiok import Dag\ndef make(id):\n    return Dag(id)\n")
    (tmp_path / "middle.py").write_text("from factory import make\n")
    doubt, _line, message = of(tmp_path, "from middle import make\nif False:\n    dag = make('x')\n")
    assert doubt
    assert message.startswith("it imports factory.py, which imports Dag, but creates no DAG. ")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1\n", "it does not import kiok"),
        ("", "it does not import kiok"),
        ("# dag = Dag('x')  # of kiok, commented out\n", "it does not import kiok"),
        ("from kiok import conn\nX = conn('a', 'b')\n", "it does not import Dag from kiok"),
        ("import regions\n", "it does not import kiok"),
        ("import json as kiok\n", "it does not import kiok"),
        ("class Dag: pass\ndag = Dag()\n", "it does not import kiok"),
    ],
)
def test_file_without_an_import_of_dag_is_not_a_dag(tmp_path: Path, source: str, message: str) -> None:
    (tmp_path / "regions.py").write_text("from kiok import secret\nNAMES = ('eu', 'us')\n")
    assert of(tmp_path, source) == (False, None, message)
