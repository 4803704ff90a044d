"""Execution of a Python file: its DAGs, its imports, and its errors."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from kiok.compile import compile_python_file
from tests.unit.python_sources import compiled, problems_of, spec_of


def test_dags_are_compiled_once_in_the_order_of_creation(
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
    assert [dag.id for dag in result.dags] == ["first", "second", "third"]
    assert [(item.path, [dag.id for dag in item.dags]) for item in result.imported] == [
        ("shared_dags.py", ["borrowed"])
    ]
    assert result.keyed


def test_two_dags_with_one_id_are_refused_with_both_lines(tmp_path: Path) -> None:
    source = 'a = Dag("same"); a.task("t", "s")\nb = Dag("ok"); b.task("t", "s")\nc = Dag("same"); c.task("t", "s")\n'
    result = compiled(tmp_path, source)
    assert [dag.id for dag in result.dags] == ["ok"]
    assert [(line, key) for line, _task, key, _message in problems_of(result)] == [(2, "id"), (4, "id")]


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("x = 1\n1 / 0\n", 3, "ZeroDivisionError: division by zero"),
        ("import no_such_module\n", 2, "ModuleNotFoundError: No module named 'no_such_module' (looked in"),
        ("def f(:\n", 2, "SyntaxError: invalid syntax"),
        ("x = '\\ud800'\nraise ValueError(x)\n", 3, "ValueError: \\ud800"),
        (
            "import sys\nsys.exit(3)\n",
            3,
            "it called sys.exit in line 3 (SystemExit: 3); a DAG file must run to",
        ),
        (
            "raise SystemExit\n",
            2,
            "it called sys.exit in line 2 (SystemExit); a DAG file must run to its end",
        ),
        ("exit('why')\n", 2, "it called sys.exit in line 2 (SystemExit: why)"),
        ("import argparse\nargparse.ArgumentParser().parse_args(['x'])\n", 3, "it called sys.exit in "),
        ("raise KeyboardInterrupt\n", 2, "KeyboardInterrupt"),
        ("def f(): f()\nf()\n", 2, "RecursionError"),
        (
            "class E(Exception):\n def __str__(self): raise SystemExit\nraise E\n",
            4,
            "E: (its text is not available: SystemExit)",
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
def test_failing_module_is_reported_with_line_and_reason(
    tmp_path: Path, source: str, line: int, message: str
) -> None:
    result = compiled(tmp_path, source)
    assert result.import_failed
    assert result.dags == ()
    (found,) = result.diagnostics
    assert found.line == line
    assert message in found.message
    assert len(found.message) < 4_100
    assert json.loads(result.encode())["diagnostics"][0]["line"] == line


def test_source_that_is_not_python_is_an_error(tmp_path: Path) -> None:
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


def test_failure_in_a_helper_names_the_chain_of_imports(tmp_path: Path) -> None:
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


def test_imports_search_own_folder_then_subpath_then_root(tmp_path: Path) -> None:
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


def test_repository_modules_do_not_replace_standard_modules_or_kiok(tmp_path: Path) -> None:
    for name in ("colorsys", "wave", "kiok", "json"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('a repository file was imported')\n")
    sys.modules.pop("colorsys", None)
    sys.modules.pop("wave", None)
    source = "import colorsys, wave, json, kiok.refs\nd = Dag('d')\nd.task('a', 's')\n"
    spec_of(compiled(tmp_path, source, roots=(tmp_path,)))


@pytest.mark.parametrize("name", ["json.py", "kiok.py", "__main__.py", "my-dag.py", "pytest.py"])
def test_file_may_have_any_modules_name_and_is_never_main(tmp_path: Path, name: str) -> None:
    before = dict(sys.modules)
    source = (
        f"assert __name__ != '__main__'\nassert __file__.endswith({name!r})\nd = Dag('d')\nd.task('a', 's')\n"
    )
    spec_of(compiled(tmp_path, source, name))
    assert dict(sys.modules) == before


def test_files_compiled_in_one_process_do_not_share_helpers(tmp_path: Path) -> None:
    path, modules = sys.path[:], set(sys.modules)
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same_name.py").write_text(f"id = {folder!r}\n")
        source = "import same_name\nd = Dag(same_name.id)\nd.task('a', 's')\n"
        assert spec_of(compiled(tmp_path / folder, source)).id == folder
    assert sys.path == path
    assert not {name for name in set(sys.modules) - modules if "same_name" in name}
    assert not list(tmp_path.rglob("__pycache__"))


def test_dag_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
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
