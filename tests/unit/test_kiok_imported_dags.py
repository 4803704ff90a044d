"""The file that a DAG belongs to if one Python file creates it and another imports it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiok.compile import compile_python_file
from kiok.compiled import CompiledFile
from tests.unit.python_sources import compiled

BASE = "from kiok import Dag\ndag = Dag('x')\ndag.task('a', 's')\ndags = [dag]\n"


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def owners(result: CompiledFile) -> tuple[list[str], dict[str, list[str]]]:
    """Return the ids of a file's own DAGs, and those of imported ones by the file they belong to."""
    assert result.diagnostics == ()
    imported = {group.path: [dag.id for dag in group.dags] for group in result.imported}
    return [dag.id for dag in result.dags], imported


@pytest.mark.parametrize(
    "source",
    [
        "from base import dag\n",
        "from base import *\n",
        "from base import dag as mine\n",
        "import base\nmine = base.dag\n",
        "import base\nglobals().update(vars(base))\n",
        "from base import dags\nmine = dags[0]\n",
        "from again import dag\n",
        "from again import make\nmine = make()\n",
        "from later import dag\n",
        "from pkg.inner import dag\n",
        "import importlib\nmine = importlib.import_module('base').dag\n",
        "import base, importlib\nmine = importlib.reload(base).dag\n",
        "def f():\n    from base import dag\n    return dag\nmine = f()\n",
    ],
)
def test_dag_belongs_to_the_file_that_creates_it(tmp_path: Path, source: str) -> None:
    write(
        tmp_path,
        {
            "base.py": BASE,
            "again.py": "from base import *\ndef make():\n    return dag\n",
            "later.py": "def __getattr__(name):\n    import base\n    return getattr(base, name)\n",
            "pkg/__init__.py": "",
            "pkg/inner.py": BASE,
        },
    )
    result = compiled(tmp_path, source, roots=(tmp_path,))
    path = "pkg/inner.py" if "inner" in source else "base.py"
    assert owners(result) == ([], {path: ["x"]})
    assert result.not_a_dag is not None
    assert result.not_a_dag.message == f"imports 1 DAG of {path}"
    assert result.doubts == ()


@pytest.mark.parametrize(
    "source",
    [
        # Created by a function that this file calls.
        "from factory import make\ndag = make('x')\n",
        "from factory import Mine\ndag = Mine('x')\n",
        "from lazy import dag\n",
        # Held by no name of the module that created it, so that nothing else registers it.
        "from unnamed import dags\ndag = dags[0]\n",
        "from unnamed import take\ndag = take()\n",
        # Text that is run here is part of this file.
        "from pathlib import Path\nexec((Path(__file__).parent / 'base.py').read_text())\n",
        "import runpy\ndag = runpy.run_path(__file__.replace('dags.py', 'base.py'))['dag']\n",
        # A copy is another DAG.
        "from base import dag\nimport copy\ndag = copy.deepcopy(dag)\n",
    ],
)
def test_dag_that_no_other_file_registers_belongs_to_its_importer(tmp_path: Path, source: str) -> None:
    make = "def make(id):\n    dag = Dag(id)\n    dag.task('a', 's')\n    return dag\n"
    write(
        tmp_path,
        {
            "base.py": BASE,
            "factory.py": f"from kiok import Dag\n{make}class Mine(Dag):\n"
            "    def __init__(self, id):\n        super().__init__(id)\n        self.task('a', 's')\n",
            "lazy.py": f"from kiok import Dag\n{make}def __getattr__(name):\n"
            "    if name == 'dag':\n        return make('x')\n    raise AttributeError(name)\n",
            "unnamed.py": BASE + "dags = [Dag('x')]\ndags[0].task('a', 's')\ndel dag\n"
            "def take():\n    return dags[0]\n",
        },
    )
    assert owners(compiled(tmp_path, source, roots=(tmp_path,))) == (["x"], {})


def test_each_creating_file_is_named_with_its_count(tmp_path: Path) -> None:
    more = BASE + "more = Dag('y')\nmore.task('a', 's')\n"
    write(tmp_path, {"base.py": BASE, "lib/more.py": more.replace("'x'", "'z'")})
    source = "from base import dag\nfrom lib.more import dag as z, more\n"
    result = compiled(tmp_path, source, roots=(tmp_path,))
    assert owners(result) == ([], {"base.py": ["x"], "lib/more.py": ["z", "y"]})
    assert result.not_a_dag is not None
    assert result.not_a_dag.message == "imports 1 DAG of base.py and 2 DAGs of lib/more.py"


def test_importing_file_does_not_report_problems_of_imported_dags(tmp_path: Path) -> None:
    write(tmp_path, {"base.py": "from kiok import Dag\ndag = Dag('x')\n"})
    result = compiled(
        tmp_path, "from base import dag\nown = Dag('own'); own.task('a', 's')\n", roots=(tmp_path,)
    )
    assert owners(result) == (["own"], {"base.py": []})
    (group,) = result.imported
    assert [problem.dag for problem in group.diagnostics] == ["x"]


def test_lost_dags_of_an_imported_module_are_no_error(tmp_path: Path) -> None:
    write(tmp_path, {"base.py": BASE + "Dag('dropped')\n"})
    assert owners(compiled(tmp_path, "from base import dag\n", roots=(tmp_path,))) == ([], {"base.py": ["x"]})
    (problem,) = compile_python_file(tmp_path / "base.py").diagnostics
    assert "2 DAGs were created, 1 is" in problem.message


@pytest.mark.parametrize("inside", [True, False])
def test_dag_of_an_installed_package_belongs_to_its_importer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: bool
) -> None:
    """No source file of the repository registers it: the package is outside, or in an environment in the folder."""
    repository = tmp_path / "repository"
    packages = (repository if inside else tmp_path) / "venv/lib/site-packages"
    write(packages, {"installed_base.py": BASE})
    monkeypatch.syspath_prepend(str(packages))
    result = compiled(repository, "from installed_base import dag\n", roots=(repository,))
    assert owners(result) == (["x"], {})


def test_module_that_imports_the_compiled_file_takes_no_dag_from_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "pkg/__init__.py": "",
            "pkg/helper.py": "import pkg.a\n",
            "pkg/a.py": "import pkg.helper\n" + BASE,
        },
    )
    assert owners(compile_python_file(tmp_path / "pkg/a.py", (tmp_path,))) == (["x"], {})
