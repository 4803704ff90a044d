"""`python3 -m kiok.compile` with files that hang, print or leave processes, and with closed or broken streams."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import kiok
from kiok.isolated import MAX_OUTPUT_BYTES
from kiok.stack_dump import read_stack
from tests.support.waiting import wait_until_ended

HOME = str(Path(kiok.__file__).parent.parent)
COMMAND = [sys.executable, "-m", "kiok.compile"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": HOME}
DAG = "from kiok import Dag\nd = Dag('d')\nd.task('a', script='s')\n"
YAML = "dag: {id: y}\ntasks: [{id: a, script: s}]\n"


def run(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def shell(line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which `kiok-compile` is the command."""
    script = f'kiok-compile() {{ "{sys.executable}" -m kiok.compile "$@"; }}\n{line}'
    return subprocess.run(
        ["bash", "-c", script],
        cwd=cwd,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.parametrize(
    ("source", "line", "trail"),
    [
        ("x = 1\nwhile True:\n    x += 1\n", None, ""),
        ("import time\ntime.sleep(1000)\n", 2, ""),
        (
            "def f():\n    __import__('time').sleep(1000)\nf()\n",
            2,
            "\n  at a.py:3 in <module>\n  at a.py:2 in f",
        ),
        ("import helper\n", 1, "\n  at a.py:1 in <module>\n  at helper.py:1 in <module>"),
        ("import re\nre.match('(a+)+b', 'a' * 60)\n", 2, "\n  at a.py:2 in <module>\n"),
        (
            "import threading\nwait = threading.Event().wait\n"
            "threading.Thread(target=wait, daemon=True).start()\nwait()\n",
            4,
            "\n  at a.py:4 in <module>\n",
        ),
    ],
)
def test_file_that_hangs_is_stopped_and_its_line_is_named(
    tmp_path: Path, source: str, line: int | None, trail: str
) -> None:
    (tmp_path / "a.py").write_text(source)
    (tmp_path / "helper.py").write_text("__import__('time').sleep(1000)\n")
    (tmp_path / "b.py").write_text(DAG)
    done = run("--timeout", "3", "a.py", "b.py", cwd=tmp_path)
    assert done.returncode == 1
    assert [dag["id"] for dag in json.loads(done.stdout)] == ["d"]
    head, _, _ = done.stderr.partition(
        " it did not finish within 3 s and was stopped (--timeout); it was at line "
    )
    assert head.startswith("a.py:")
    found = int(done.stderr.split("it was at line ")[1].split()[0])
    assert found in ([line] if line else [2, 3])
    lines = [text.strip() for text in done.stderr.splitlines()]
    for frame in trail.strip().splitlines():
        assert frame.strip() in lines


def test_file_that_cancels_its_timer_is_still_stopped(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "import faulthandler, time\nfaulthandler.cancel_dump_traceback_later()\ntime.sleep(1000)\n"
    )
    done = run("--check", "--timeout", "2.5", "a.py", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "a.py: it did not finish within 2.5 s and was stopped (--timeout)\n"


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "x", "", "86401"])
def test_time_limit_is_a_number_of_seconds(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.py").write_text(DAG)
    done = run("--timeout", text, "a.py", cwd=tmp_path)
    assert done.returncode == 2
    assert "is not a number greater than 0 and at most 86400" in done.stderr


def test_only_the_end_of_a_failed_files_output_is_shown(tmp_path: Path) -> None:
    prints = "import os, sys\nprint('out')\nprint('err', file=sys.stderr)\nos.system('echo program')\n"
    (tmp_path / "good.py").write_text(prints + DAG)
    (tmp_path / "bad.py").write_text(prints + DAG + "raise ValueError('boom')\n")
    (tmp_path / "much.py").write_text(DAG + "print('first' + 'x' * 1_000_000 + 'last')\n1 / 0\n")
    done = run("--check", "good.py", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 file, 1 DAG\n", "")
    done = run("--check", "bad.py", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("ValueError: boom\n  its output:\nout\nerr\nprogram\n\n")
    done = run("--check", "much.py", cwd=tmp_path)
    assert "first" not in done.stderr
    assert "last\n" in done.stderr
    assert f"[only the last {MAX_OUTPUT_BYTES} bytes are kept]\n" in done.stderr
    assert len(done.stderr) < MAX_OUTPUT_BYTES + 500


def test_file_that_prints_endlessly_is_stopped(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("while True: print('x' * 1000)\n")
    done = run("--check", "--timeout", "3", "a.py", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("a.py:1: it did not finish within 3 s")
    assert len(done.stderr) < 2 * MAX_OUTPUT_BYTES


def test_processes_that_a_file_starts_are_ended_with_it(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "import subprocess\np = subprocess.Popen(['sleep', '1000'])\nopen('pid', 'w').write(str(p.pid))\n"
        + DAG
    )
    done = run("a.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    wait_until_ended(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize(
    ("line", "status", "stdout", "stderr"),
    [
        (
            "kiok-compile a.py >&-",
            2,
            "",
            "standard output is closed, so the specs cannot be printed; add --check\n",
        ),
        ("kiok-compile --check a.py >&-", 0, "", ""),
        (
            "kiok-compile --check bad.py >&-",
            1,
            "",
            "bad.py:1: the module cannot be imported: ZeroDivisionError",
        ),
        ("kiok-compile a.py 2>&-", 0, '"id": "d"', ""),
        ("kiok-compile bad.py 2>&-", 1, "[]", ""),
        ("kiok-compile a.py <&-", 0, '"id": "d"', ""),
        ("kiok-compile --check a.py y.yaml <&- >&- 2>&-", 0, "", ""),
        ("kiok-compile --check bad.py <&- >&- 2>&-", 1, "", ""),
        ("kiok-compile >&- 2>&-", 2, "", ""),
        ("kiok-compile --help >&-", 0, "", ""),
        (
            "kiok-compile a.py >/dev/full",
            2,
            "",
            "standard output cannot be written: No space left on device\n",
        ),
        ("kiok-compile bad.py 2>/dev/full", 1, "[]", ""),
        ("kiok-compile a.py | true; exit ${PIPESTATUS[0]}", 2, "", ""),
        ("kiok-compile bad.py 2>&1 >/dev/null | true; exit ${PIPESTATUS[0]}", 1, "", ""),
    ],
)
def test_closed_or_broken_stream_causes_no_traceback(
    tmp_path: Path, line: str, status: int, stdout: str, stderr: str
) -> None:
    (tmp_path / "a.py").write_text("import sys\nsys.stdin.read()\nprint('printed')\n" + DAG)
    (tmp_path / "bad.py").write_text("1 / 0\n")
    (tmp_path / "y.yaml").write_text(YAML)
    # More than a pipe holds, so that the reader's end is noticed.
    many = "".join(
        f"d{number} = Dag('d{number}', description='x' * 9000)\nd{number}.task('a', 's')\n"
        for number in range(20)
    )
    if "| true" in line:
        (tmp_path / "a.py").write_text("from kiok import Dag\n" + many)
    done = shell(line, tmp_path)
    assert (done.returncode, "Traceback" in done.stderr, "Exception ignored" in done.stderr) == (
        status,
        False,
        False,
    )
    assert stdout in done.stdout
    assert stderr in done.stderr
    if not stderr:
        assert done.stderr == ""


def test_ctrl_c_ends_the_files_with_the_command(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "import os, pathlib\npathlib.Path('pid').write_text(str(os.getpid()))\n"
        "os.mkfifo('ready') if not os.path.exists('ready') else None\nopen('ready', 'w').close()\nwhile True: pass\n"
    )
    os.mkfifo(tmp_path / "ready")
    process = subprocess.Popen(
        [*COMMAND, "--check", "a.py"], cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
    )
    (tmp_path / "ready").read_text()
    pid = int((tmp_path / "pid").read_text())
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=600)
    assert (process.returncode, stderr) == (130, "")
    wait_until_ended(pid)


def test_dag_built_from_a_set_has_the_same_form_each_time(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "from kiok import Dag\nd = Dag('d')\nfor name in {'eu', 'us', 'asia', 'africa', 'oceania'}:\n"
        "    d.task(name, script='s')\n"
    )
    outputs = {run("a.py", cwd=tmp_path, PYTHONHASHSEED=seed).stdout for seed in ("1", "2", "3", "random")}
    assert len(outputs) == 1
    assert '"asia"' in outputs.pop()


def test_file_that_imports_a_dag_is_listed_with_its_creator(tmp_path: Path) -> None:
    (tmp_path / "base.py").write_text(DAG)
    (tmp_path / "a.py").write_text("from base import d\n")
    done = run("base.py", "a.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "a.py: imports 1 DAG of base.py\n")
    assert [dag["id"] for dag in json.loads(done.stdout)] == ["d"]


def test_any_text_is_read_as_a_stack_without_an_error() -> None:
    for text in (
        "",
        "Stack (most recent call first):\n",
        'File "a.py", line 9 in f',
        "\0" * 1000,
        "Thread 0x" * 1000,
    ):
        assert read_stack(text, "a.py", str).line is None
