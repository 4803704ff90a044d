"""A kernel without pidfd_open: the driver notices the end of a child without it, with the same results."""

from __future__ import annotations

import errno
import json
from dataclasses import replace

import pytest

from compilers.sandbox.base import RawResult
from compilers.sandbox.config import SandboxConfig
from compilers.sandbox.docker import DockerSandbox
from tests.sandbox.conftest import JobOf
from tests.sandbox.probes import PROBE
from tests.sandbox.profiles import without_pidfd_open

DAG = "from kiok import Dag\ndag = Dag('fine')\ndag.task('t', script='true')\n"
# The daemon holds both pipes after the end of its parent, which waits for its first output, and writes all the time.
DAEMON = """
import os
wait, go = os.pipe()
if os.fork() == 0:
    os.write(1, b"x")
    os.write(go, b".")
    while True:
        os.write(1, b"x")
os.read(wait, 1)
os._exit(6)
"""
# Each ends in another way.
FILES = {
    "first.py": DAG,
    "exits.py": "import os\nos._exit(3)\n",
    "killed.py": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n",
    "hangs.py": "__import__('time').sleep(60)\n",  # one line, since the stack names the line that was running
    "closes.py": "import os, time\nos.closerange(0, 4)\ntime.sleep(0.5)\nos._exit(5)\n",
    "talks.py": f"print('x' * 200_000)\n{DAG}",
    "too_large.py": "import os\nwhile True:\n    os.write(3, bytes(1 << 16))\n",
    "leaves_a_daemon.py": DAEMON,
    "last.py": DAG,
}


@pytest.fixture
def old_kernel(impatient_config: SandboxConfig) -> DockerSandbox:
    return DockerSandbox(replace(impatient_config, seccomp_profile=without_pidfd_open()))


def test_a_kernel_without_pidfd_open_gives_the_same_results(
    old_kernel: DockerSandbox, impatient: DockerSandbox, job_of: JobOf
) -> None:
    found = [_comparable(result) for result in old_kernel.run(job_of(FILES))]
    expected = [_comparable(result) for result in impatient.run(job_of(FILES))]
    assert found == expected
    outcomes = ["OK", "EXITED", "KILLED", "TIMEOUT", "EXITED", "OK", "TOO_LARGE", "EXITED", "OK"]
    assert [result.outcome.name for result in found] == outcomes


def _comparable(result: RawResult) -> RawResult:
    """Return a result without its duration and without the length of its output, which a daemon leaves to chance."""
    return replace(result, seconds=0.0, output="".join(sorted(set(result.output))))


def test_the_profile_makes_the_kernel_refuse_pidfd_open(old_kernel: DockerSandbox, job_of: JobOf) -> None:
    (result,) = old_kernel.run(job_of({"a.py": f"{PROBE}\nanswer(tried(os.pidfd_open, os.getpid()))\n"}))
    assert json.loads(result.payload) == errno.ENOSYS
