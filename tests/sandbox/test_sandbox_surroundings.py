"""Files that use facilities missing in the sandbox, and the messages to their authors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from compilers.formats.python import PYTHON
from compilers.result import FileResult, FileStatus
from compilers.sandbox.config import SandboxConfig
from compilers.sandbox.docker import DockerSandbox
from compilers.sandbox.limits import SandboxLimits
from kiok.errors import Diagnostic
from tests.support.compilation import compile_tree
from tests.support.trees import MemoryTree

DOCS = Path(__file__).resolve().parents[2] / "docs"
DAG = "dag = Dag('d')\ndag.task('a', script='s')\n"
NETWORK = "the sandbox has no network: let a task call other systems"
RELATIVE = "the working directory in the sandbox is /, not the file's folder"
WRITE = "in the sandbox only /tmp is writable, and the modes and times of files cannot be changed"
VERSION = r"the sandbox runs Python 3\.\d+; names added in later versions are not available"

# A file's code, and the message to its author.
FILES = {
    "lookup": ("import socket\nsocket.getaddrinfo('example.com', 80)\n", NETWORK),
    "lookup_in_c": ("import socket\nsocket.gethostbyname('example.com')\n", NETWORK),
    "connect": ("import socket\nsocket.create_connection(('192.0.2.1', 80))\n", NETWORK),
    "socket": ("import socket\nsocket.socket()\n", NETWORK),
    "unix_socket": ("import socket\nsocket.socket(socket.AF_UNIX)\n", NETWORK),
    "urllib": ("import urllib.request\nurllib.request.urlopen('https://example.com')\n", NETWORK),
    "http_client": (
        "import http.client\nhttp.client.HTTPConnection('192.0.2.1').request('GET', '/')\n",
        NETWORK,
    ),
    "wrapped": (
        "import socket\ntry:\n    socket.socket()\nexcept OSError as exc:\n    raise RuntimeError('no data') from exc\n",
        NETWORK,
    ),
    "variable": (
        "import os\nos.environ['REGION']\n",
        "the sandbox has none of your environment variables: give a",
    ),
    "variable_in_a_helper": ("import reads_region\n", "the sandbox has none of your environment variables"),
    "relative": (
        "open('config.json')\n",
        rf"{RELATIVE}: use pathlib.Path\(__file__\).parent / 'config.json'",
    ),
    "relative_path": ("from pathlib import Path\nPath('sql/a.sql').read_text()\n", RELATIVE),
    "relative_list": ("import os\nos.listdir('dags')\n", RELATIVE),
    "not_in_tree": (
        "open(__file__.replace('not_in_tree.py', 'data.csv'))\n",
        "the sandbox contains only the files of the commit: if only a folder of the repository is synced, `include` must",
    ),
    "home": (
        "import os\nopen(os.path.expanduser('~/.aws/credentials'))\n",
        "the sandbox contains the repository's files and its image, but nothing from your computer",
    ),
    "absolute": ("open('/home/ada/data.csv')\n", "nothing from your computer"),
    "program": (
        "import subprocess\nsubprocess.run(['git', 'log'])\n",
        "the sandbox image has no such program",
    ),
    "script": (
        "import subprocess\nsubprocess.run([__file__.replace('script.py', 'tool.sh')])\n",
        "programs from the repository or /tmp cannot be executed in the sandbox",
    ),
    "write": ("open('/var/tmp/x', 'w')\n", WRITE),
    "write_beside": ("open(__file__ + '.cache', 'w')\n", WRITE),
    "folder": ("import os\nos.makedirs('/data/x')\n", WRITE),
    "mode": ("import os\nos.chmod(__file__, 0o600)\n", WRITE),
    "input": ("input('Region? ')\n", "the sandbox has no input: its standard input is empty"),
    "user": ("import getpass\ngetpass.getuser()\n", "the user of the sandbox has no name"),
    "locale": (
        "import locale\nlocale.setlocale(locale.LC_ALL, 'de_DE.UTF-8')\n",
        "the only locale in the sandbox is C.UTF-8",
    ),
    "syntax": (
        "type Names = list[str]\n",
        r"the sandbox runs Python 3\.\d+; syntax of later versions is not available",
    ),
    "syntax_in_a_helper": ("import newer_syntax\n", r"the sandbox runs Python 3\.\d+; syntax"),
    "newer_name": ("from warnings import from_a_later_version\n", VERSION),
    "newer_attribute": ("import itertools\nitertools.from_a_later_version\n", VERSION),
    "module": (
        "import pandas\n",
        "if it is a package, it must be added to the sandbox image [^ ]*kiok-sandbox-python",
    ),
    "sys_exit": (
        "import sys\nsys.exit()\n",
        r"it called sys.exit in line 3 \(SystemExit\); a DAG file must run to",
    ),
}
OTHERS = {
    "reads_region.py": "import os\nREGION = os.environ['REGION']\n",
    "newer_syntax.py": "def first[T](values: list[T]) -> T: return values[0]\n",
    "tool.sh": "#!/bin/sh\n",
}
# Errors that are not caused by the sandbox, and whose message does not mention it.
PLAIN = {
    "key": "{}['x']\n",
    "own_module": "import own\nown.nothing\n",
    "own_name": "from own import nothing\n",
    "raised": "raise OSError('of my own')\n",
    "tmp": "open('/tmp/nothing')\nraise ValueError\n",
}


@pytest.fixture(scope="module")
def results(sandbox: DockerSandbox) -> dict[str, FileResult]:
    files: dict[str, bytes | str] = {**OTHERS, "own.py": "x = 1\n"}
    files |= {f"{name}.py": "from kiok import Dag\n" + body for name, (body, _) in FILES.items()}
    files |= {f"plain_{name}.py": "from kiok import Dag\n" + body for name, body in PLAIN.items()}
    return {file.source.path: file for file in compile_tree(MemoryTree(files), sandbox=sandbox).files}


def problem(result: FileResult) -> Diagnostic:
    assert result.status is FileStatus.FAILED, result
    return result.diagnostics[0]


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_needs_what_the_sandbox_lacks_gets_a_hint(
    name: str, results: dict[str, FileResult]
) -> None:
    found = problem(results[f"{name}.py"])
    assert re.search(FILES[name][1], found.message.splitlines()[0]), found.message
    assert found.line is not None


@pytest.mark.parametrize("name", [name for name in PLAIN if name != "tmp"])
def test_a_fault_of_the_files_own_gets_no_hint(name: str, results: dict[str, FileResult]) -> None:
    assert "sandbox" not in problem(results[f"plain_{name}.py"]).message


HANGING = {
    "loop.py": ("while True: pass\n", 2, ""),
    "sleep.py": ("import time\ntime.sleep(1000)\n", 3, ""),
    "pattern.py": ("import re\nre.match('(a+)+b', 'a' * 60)\n", 3, "\n  at pattern.py:3 in <module>"),
    "prints.py": ("while True: print('x' * 1000)\n", 2, ""),
    "helper.py": ("import spins\n", 2, "\n  at spins.py:2 in f"),
    "deaf.py": (
        "import signal\nsignal.signal(signal.SIGUSR2, signal.SIG_IGN)\n__import__('time').sleep(60)\n",
        None,
        "",
    ),
}


def test_a_file_that_hangs_is_reported_with_its_line(impatient: DockerSandbox) -> None:
    files: dict[str, bytes | str] = {"spins.py": "def f():\n    __import__('time').sleep(60)\nf()\n"}
    files |= {path: "import kiok\n" + body for path, (body, _, _) in HANGING.items()}
    # A helper that hangs by itself is no DAG; only files that mention kiok fail.
    found = {file.source.path: file for file in compile_tree(MemoryTree(files), sandbox=impatient).files}
    for path, (_, line, trail) in HANGING.items():
        item = problem(found[path])
        assert item.line == line, (path, item.message)
        first = item.message.splitlines()[0]
        where = f"; it was at line {line}" if line else ""
        time = f"{impatient.limits.file_timeout_seconds:g} s"
        assert first.startswith(f"it was not done within {time} and was killed{where} (the sandbox allows ")
        assert trail in item.message


def test_a_dag_built_from_a_set_is_the_same_in_every_container(sandbox: DockerSandbox) -> None:
    text = (
        "from kiok import Dag\ndag = Dag('d', description=' '.join({'eu', 'us', 'asia', 'africa', 'oceania'}))\n"
        "for name in {'one', 'two', 'three', 'four', b'five'.decode()}:\n    dag.task(name, script='s')\n"
    )
    hashes = {
        compile_tree(MemoryTree({"a.py": text}), sandbox=sandbox).files[0].dags[0].sha256 for _ in range(3)
    }
    assert len(hashes) == 1


def test_no_variable_of_python_reaches_the_files(sandbox: DockerSandbox) -> None:
    text = (
        "import kiok, os\nraise ValueError({n: v for n, v in os.environ.items() if n.startswith('PYTHON')})\n"
    )
    (result,) = compile_tree(MemoryTree({"a.py": text}), sandbox=sandbox).files
    assert "ValueError: {'PYTHONHASHSEED': '0'}" in problem(result).message


def test_the_docs_name_the_version_of_python_that_the_sandbox_runs(sandbox: DockerSandbox) -> None:
    text = "from kiok import Dag\nimport sys\ndag = Dag('d', description='%d.%d' % sys.version_info[:2])\n"
    (result,) = compile_tree(MemoryTree({"a.py": text + "dag.task('a', 's')\n"}), sandbox=sandbox).files
    version = result.dags[0].description
    named = re.findall(r'python-version: "([^"]+)"', (DOCS / "authors" / "check.md").read_text())
    assert named == [version]


def test_a_file_always_has_all_of_its_time(python_image: str) -> None:
    """A container's time covers the full time of its files, and the overhead of each."""
    limits = SandboxLimits(file_timeout_seconds=2)
    sandbox = DockerSandbox(SandboxConfig(images={PYTHON: python_image}, limits=limits))
    files: dict[str, bytes | str] = {f"{name}.py": "import kiok, time\ntime.sleep(60)\n" for name in "abc"}
    for result in compile_tree(MemoryTree(files), sandbox=sandbox).files:
        assert result.seconds >= 2
        assert "kiok.sandbox.file.timeout.ms = 2000;" in problem(result).message
