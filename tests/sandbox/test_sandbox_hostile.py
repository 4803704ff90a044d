"""Facts that a file can learn about its container, earlier files and the driver. For attacks see test_attacks_python.py."""

from __future__ import annotations

import json

import pytest

from compilers.sandbox.base import CompileOutcome, RawResult
from compilers.sandbox.docker import DockerSandbox
from tests.sandbox.conftest import JobOf

INNOCENT = """\
from kiok import Dag
dag = Dag("innocent", schedule="5 * * * *")
dag.task("only", script="echo hello")
"""


def assert_innocent(result: RawResult) -> None:
    assert result.outcome is CompileOutcome.OK, result
    value = json.loads(result.payload)
    assert [dag["id"] for dag in value["dags"]] == ["innocent"], value
    assert value["diagnostics"] == []
    assert result.output == ""


def test_a_file_leaves_nothing_for_the_next(impatient: DockerSandbox, job_of: JobOf) -> None:
    leaver = """\
import json, os, kiok, subprocess, sys, time
json.dumps = None
kiok.Dag = None
os.environ['LEFT'] = 'behind'
os.makedirs('/tmp/left/behind')
open('/tmp/left/file', 'w').close()
os.mkfifo('/tmp/pipe')
os.symlink('/', '/tmp/root')
for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        time.sleep(3600)
os._exit(0)
"""
    looker = """\
import json, os, kiok
print(sorted(name for name in os.listdir('/proc') if name.isdigit() and int(name) != os.getpid()))
print(os.listdir('/tmp'), 'LEFT' in os.environ, json.dumps is None, kiok.Dag is None)
"""
    _, found = impatient.run(job_of({"a.py": leaver, "b.py": looker}))

    assert found.output == "['1']\n[] False False False\n"


def test_a_file_sees_nothing_but_its_own_container(
    impatient: DockerSandbox, job_of: JobOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIOK_MASTER_KEY", "a-secret-of-the-worker")
    source = """\
import os
print(sorted(os.environ))
print(os.getuid() >= 20000, os.getgid() == os.getuid(), os.getgroups() == [os.getgid()])
print(open('/proc/self/status').read())
print(sorted(os.listdir('/src')), os.listdir('/proc/self/fd') and sorted(os.listdir('/proc/self/fd'))[:4])
for path in ('/x', '/etc/x', '/opt/kiok/x', '/dev/shm/x', '/dev/x'):
    try:
        open(path, 'w')
    except OSError as error:
        print(path, type(error).__name__)
"""
    (result,) = impatient.run(job_of({"a.py": source}))

    assert "a-secret-of-the-worker" not in result.output
    assert (
        "['HOME', 'HOSTNAME', 'KIOK_SANDBOX_MEMORY_BYTES', 'LANG', 'PATH', 'PYTHONHASHSEED']\nTrue True True\n"
        in result.output
    )
    for line in ("CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"):
        assert line in result.output
    assert "/x OSError" in result.output
    assert "/etc/x OSError" in result.output
    assert "/opt/kiok/x OSError" in result.output
    assert "/dev/shm/x FileNotFoundError" in result.output
    assert "/dev/x PermissionError" in result.output


def test_names_of_the_tree_shadow_neither_the_standard_library_nor_the_sdk(
    impatient: DockerSandbox, job_of: JobOf
) -> None:
    files = {
        "a.py": INNOCENT,
        "json.py": "raise RuntimeError('shadowed')\n",
        "kiok/__init__.py": "raise RuntimeError('shadowed')\n",
        "typing.py": "raise RuntimeError('shadowed')\n",
    }
    result = next(iter(impatient.run(job_of(files))))

    assert_innocent(result)


def test_a_repository_may_have_a_package_of_the_drivers_name(impatient: DockerSandbox, job_of: JobOf) -> None:
    files = {
        "a.py": INNOCENT
        + "from compilers import mark\nfrom driver import mark as other\nprint(mark, other)\n",
        "compilers/__init__.py": "mark = 'of the repository'\n",
        "driver.py": "mark = 'also'\n",
    }
    result = next(iter(impatient.run(job_of(files))))

    assert result.outcome is CompileOutcome.OK
    assert result.output == "of the repository also\n"


def test_diagnostics_name_files_from_the_repositorys_root(impatient: DockerSandbox, job_of: JobOf) -> None:
    result = next(iter(impatient.run(job_of({"dags/deep/broken.py": "x = 1\nraise RuntimeError('boom')\n"}))))

    (diagnostic,) = json.loads(result.payload)["diagnostics"]
    assert diagnostic["path"] == "dags/deep/broken.py"
    assert diagnostic["line"] == 2
    assert "/src" not in result.payload.decode()
