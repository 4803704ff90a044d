"""`python3 -m kiok.compile`, as authors and their CI run it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

import kiok
from kiok.errors import Diagnostic
from kiok.report import as_github, as_text

PACKAGE = Path(kiok.__file__).parent
HOME = str(PACKAGE.parent)
PYTHON_DAG = "from kiok import Dag\nd = Dag({id!r})\nd.task('a', script='s')\n"
YAML_DAG = "dag: {id: y}\ntasks: [{id: a, script: ä}]\n"


def run(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kiok.compile", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": HOME, **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )


def test_specs_are_one_json_array_in_the_order_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "b.py").write_text("print('printed')\n" + PYTHON_DAG.format(id="p"))
    (tmp_path / "a.yaml").write_text(YAML_DAG, encoding="utf-8")
    (tmp_path / "ci.yml").write_text("on: push\n")
    done = run("b.py", "a.yaml", "ci.yml", cwd=tmp_path, LC_ALL="C", PYTHONUTF8="0")
    assert done.returncode == 0
    read = json.loads(done.stdout)
    assert [dag["id"] for dag in read] == ["p", "y"]
    assert read[1]["tasks"][0]["script"] == "ä"
    assert done.stderr.splitlines() == [
        "ci.yml: not a DAG: it has no key 'dag' at the top level (found: 'on')"
    ]


def test_check_prints_counts_and_why_a_file_is_not_a_dag(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(PYTHON_DAG.format(id="p"))
    (tmp_path / "two.yaml").write_text("---\n".join(YAML_DAG.replace("id: y", f"id: {id}") for id in "yz"))
    (tmp_path / "ci.yml").write_text("on: push\n")
    done = run("--check", "a.py", "two.yaml", "ci.yml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "3 files, 3 DAGs\n")
    assert done.stderr == "ci.yml: not a DAG: it has no key 'dag' at the top level (found: 'on')\n"
    assert run("--check", "a.py", cwd=tmp_path).stdout == "1 file, 1 DAG\n"


@pytest.mark.parametrize("form", ["text", "github"])
def test_strict_reports_a_file_without_a_dag_as_a_problem(form: str, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(PYTHON_DAG.format(id="p"))
    (tmp_path / "ci.yml").write_text("on: push\n")
    (tmp_path / "empty.yaml").write_text("")
    done = run("--check", "--strict", "--format", form, "a.py", "ci.yml", "empty.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    first, second = done.stderr.splitlines()
    assert "ci.yml" in first
    assert "not a DAG: it has no key 'dag' at the top level (found: 'on')" in first
    assert "not a DAG: it is empty, or holds only comments" in second
    assert first.startswith("::error file=ci.yml::" if form == "github" else "ci.yml: ")
    done = run("--check", "--strict", "a.py", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 file, 1 DAG\n", "")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.yaml",
            b" dag:\n  id: d\ntasks:\n- {id: a, script: s}\n",
            "a.yaml:1:1: not valid YAML: the line is indented",
        ),
        ("a.yaml", b"x: [\n", "a.yaml:1:4: not valid YAML: the '[' that opens here is not closed"),
        ("a.yaml", b"\xff\xfed\0a\0g\0", "a.yaml: the file is in UTF-16; save it in UTF-8"),
        ("a.yml", b"dags: {id: d}\n", "a.yml:1:1: unknown key 'dags'; did you mean `dag:`?"),
        (
            "a.yaml",
            b"version https://git-lfs.github.com/spec/v1\noid x\n",
            "a.yaml: this is a Git LFS pointer",
        ),
        ("a.py", b"version https://git-lfs.github.com/spec/v1\noid x\n", "a.py: this is a Git LFS pointer"),
        ("a.py", b"\0GITCRYPT\0xyz", "a.py: this file is encrypted (git-crypt)"),
    ],
)
def test_unreadable_file_is_a_problem(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    done = run("--check", name, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_problems_are_on_stderr_with_their_place_and_status_1(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("from kiok import Dag\nd = Dag('d')\nd.task('t', timeout='5')\n")
    (tmp_path / "b.yaml").write_text("dag: {id: y}\ntasks:\n- {id: a, scrip: s}\n")
    (tmp_path / "c.py").write_text(PYTHON_DAG.format(id="good"))
    done = run("a.py", "b.yaml", "c.py", cwd=tmp_path)
    assert done.returncode == 1
    assert [dag["id"] for dag in json.loads(done.stdout)] == ["good"]
    assert [line.partition(" write <")[0] for line in done.stderr.splitlines()] == [
        "a.py:3: DAG 'd', task 't', key 'timeoutMs': '5' has no unit:",
        "a.py:3: DAG 'd', task 't', key 'script': a task of type shell needs a script, found none",
        "b.yaml:3:11: DAG 'y', task 'a', key 'scrip': unknown key 'scrip'; did you mean 'script'?",
        "b.yaml:3:3: DAG 'y', task 'a', key 'script': a task of type shell needs a script, found none",
    ]


def test_github_format_prints_annotations(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("dag: {id: y}\ntasks:\n- {id: a, script: s, require: x}\n")
    done = run("--check", "--format", "github", "b.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        "::error file=b.yaml,line=3,col=22,title=DAG y::task 'a', key 'require': "
        "unknown key 'require'; did you mean 'requires'?\n"
    )


def test_annotations_are_escaped() -> None:
    hostile = Diagnostic("50%\r\n::error::x", "a,b:c%\n.yaml", 1, dag="d")
    assert as_github(hostile) == (
        "::error file=a%2Cb%3Ac%25%0A.yaml,line=1,title=DAG d::50%25%0D%0A::error::x"
    )
    assert as_text(Diagnostic("m", "p", output="printed")) == "p: m\n  its output:\nprinted"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "FILE"),
        (["none.yaml"], "none.yaml: no such file"),
        (["x.jar"], "jars are compiled only on the server"),
        (["x.txt"], "not one of .py, .yaml, .yml"),
        (["--root", "nowhere", "a.yaml"], "--root nowhere: no such folder"),
        (["--format", "xml", "a.yaml"], "invalid choice"),
    ],
)
def test_wrong_command_line_has_status_2_and_a_message(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "a.yaml").write_text(YAML_DAG, encoding="utf-8")
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_files_do_not_share_a_process(tmp_path: Path) -> None:
    files = {
        "exit.py": "import os; os._exit(0)\n",
        "segv.py": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)\n",
        "close.py": "import os\nfor fd in (0, 1, 2): os.close(fd)\n",
        "forge.py": "import os, sys\nos.write(1, b'forged'); sys.stdout = None\n",
        "patch.py": "import json; json.dumps = None\n",
        "thread.py": "import threading, time, atexit\natexit.register(time.sleep, 60)\n"
        "threading.Thread(target=time.sleep, args=(60,)).start()\n",
        "helper_a/dag.py": "import shared_helper; assert shared_helper.x == 'a'\n",
        "helper_b/dag.py": "import shared_helper; assert shared_helper.x == 'b'\n",
        "stdin.py": "import sys; assert sys.stdin.read() == ''\n",
        "argv.py": "import sys; assert sys.argv == ['argv.py']\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text + PYTHON_DAG.format(id=name.replace("/", "_")))
    for folder in ("a", "b"):
        (tmp_path / f"helper_{folder}" / "shared_helper.py").write_text(f"x = {folder!r}\n")
    done = run(*files, cwd=tmp_path)
    compiled = {dag["id"] for dag in json.loads(done.stdout)}
    assert {name for name in files if name.replace("/", "_") not in compiled} == {
        "exit.py",
        "segv.py",
        "patch.py",
    }
    assert (
        "exit.py: the process that ran this file ended with status 0 before it returned a result"
        in done.stderr
    )
    assert "segv.py: the process that ran this file was killed by signal 11" in done.stderr
    assert done.returncode == 1


def test_repository_is_found_by_its_git_folder_or_given(tmp_path: Path) -> None:
    (tmp_path / "repo/dags").mkdir(parents=True)
    (tmp_path / "repo/root_helper.py").write_text("x = 1\n")
    (tmp_path / "repo/dags/d.py").write_text("import root_helper\n" + PYTHON_DAG.format(id="d"))
    file = "repo/dags/d.py"
    assert "No module named 'root_helper'" in run("--check", file, cwd=tmp_path).stderr
    assert run("--check", "--root", "repo", file, cwd=tmp_path).returncode == 0
    (tmp_path / "repo/.git").mkdir()
    assert run("--check", file, cwd=tmp_path).returncode == 0


def test_files_named_like_standard_modules_are_not_run(tmp_path: Path) -> None:
    for name in ("json", "dataclasses", "argparse", "subprocess", "re", "pathlib"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a file of the folder was run')\n")
    (tmp_path / "a.py").write_text("import json, dataclasses\n" + PYTHON_DAG.format(id="p"))
    done = run("a.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["id"] == "p"


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a virtual environment that contains only the root modules of kiok."""
    home = tmp_path_factory.mktemp("bare")
    venv.create(home, with_pip=False, symlinks=True)
    site = next(home.glob("lib/python*/site-packages"))
    (site / "kiok").mkdir()
    for module in PACKAGE.glob("*.py"):
        shutil.copy(module, site / "kiok")
    return home / "bin/python"


def test_package_works_with_only_the_standard_library(bare_python: Path, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(PYTHON_DAG.format(id="p"))
    (tmp_path / "b.yaml").write_text(YAML_DAG, encoding="utf-8")
    command = [str(bare_python), "-I", "-m", "kiok.compile"]
    done = subprocess.run([*command, "a.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["id"] == "p"
    done = subprocess.run(
        [*command, "--check", "b.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "b.yaml: YAML files need PyYAML: pip install 'kiok[yaml]'\n"


def test_root_modules_import_only_the_standard_library(bare_python: Path) -> None:
    script = (
        "import importlib, pkgutil, sys, kiok\n"
        "names = [m.name for m in pkgutil.iter_modules(kiok.__path__) if not m.name.startswith('yaml_') or"
        " m.name == 'yaml_schema']\n"
        "for name in names: importlib.import_module('kiok.' + name)\n"
        "tops = {name.partition('.')[0] for name in sys.modules}\n"
        "print(*sorted(tops - sys.stdlib_module_names - {'__main__', 'kiok'}))\n"
    )
    done = subprocess.run([str(bare_python), "-I", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [
        name for name in done.stdout.split() if not name.startswith(("_distutils", "sitecustomize"))
    ] == []


def test_importing_the_compiler_does_not_load_yaml_or_the_command() -> None:
    script = "import sys, kiok.compile; print(*(set(sys.argv[1:]) & set(sys.modules)))"
    unwanted = ("argparse", "traceback", "subprocess", "yaml", "django", "difflib", "compilers", "gitsync")
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.append({HOME!r}); {script}", *unwanted],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr
