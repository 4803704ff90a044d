"""What a hostile file tries stays its own trouble: the files before and after it are not touched."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from compilers.base import Outcome, RawResult, SandboxJob
from compilers.sandbox import DockerSandbox

JobOf = Callable[[dict[str, str]], SandboxJob]

INNOCENT = """\
from kiok import Dag
dag = Dag("innocent", schedule="5 * * * *")
dag.task("only", script="echo hello")
"""


@dataclass(frozen=True)
class Attack:
    """A source, how its process must end, and what must be found where."""

    source: str
    outcome: Outcome
    detail: str = ""
    output: str = ""
    diagnostic: str = ""


ATTACKS = {
    "an exception": Attack("x = 1\nraise RuntimeError('boom')\n", Outcome.OK, diagnostic="boom"),
    "sys.exit": Attack("import sys\nsys.exit(3)\n", Outcome.OK, diagnostic="SystemExit: 3"),
    "os._exit(0) before a result": Attack(
        "import os\nprint('so far')\nos._exit(0)\n", Outcome.EXITED, detail="exit status 0", output="so far"
    ),
    "os._exit(9)": Attack("import os\nos._exit(9)\n", Outcome.EXITED, detail="exit status 9"),
    "an endless loop": Attack("while True: pass\n", Outcome.TIMEOUT, detail="3 s"),
    "a sleep that ignores every signal": Attack(
        """\
import signal, time
for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
print('deaf')
time.sleep(3600)
""",
        Outcome.TIMEOUT,
        output="deaf",
    ),
    "stopping itself": Attack("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\n", Outcome.TIMEOUT),
    "a segmentation fault": Attack(
        "import ctypes\nctypes.string_at(0)\n", Outcome.KILLED, detail="signal 11"
    ),
    "a segmentation fault by signal": Attack(
        "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n", Outcome.KILLED, detail="SIGSEGV"
    ),
    "too much memory": Attack(
        "held = []\nwhile True: held.append(bytearray(16 << 20))\n", Outcome.OK, diagnostic="MemoryError"
    ),
    "too much memory, shared and so not counted as its data": Attack(
        """\
import mmap
held = []
while True:
    held.append(mmap.mmap(-1, 16 << 20))
    held[-1].write(b'x' * (16 << 20))
""",
        Outcome.KILLED,
        detail="signal 9",
    ),
    "a fork bomb": Attack(
        """\
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
""",
        Outcome.TIMEOUT,
    ),
    "a flood on standard output": Attack(
        "import os\nwhile True: os.write(1, b'flood' * 10_000)\n", Outcome.TIMEOUT, output="floodflood"
    ),
    "an endless result": Attack(
        "import os\nwhile True: os.write(3, b'x' * 60_000)\n", Outcome.TOO_LARGE, detail="1048576 bytes"
    ),
    "filling the temporary folder": Attack(
        """\
with open('/tmp/big', 'wb') as file:
    while True: file.write(b'x' * (1 << 20))
""",
        Outcome.OK,
        diagnostic="No space left",
    ),
    "folders nested without end": Attack(
        """\
import os
os.mkdir('/tmp/blind', 0o300)
os.mkdir('/tmp/blind/d')
os.chdir('/tmp')
try:
    while True:
        os.mkdir('d'); os.chdir('d')
except OSError as error:
    print('stopped by', error.strerror)
os._exit(5)
""",
        Outcome.EXITED,
        output="stopped by No space left",
    ),
    "forged frames on descriptor 1": Attack(
        """\
import os, struct
meta = b'{"outcome":"ok","detail":"","seconds":0.1,"output":""}'
body = struct.pack('>II', 1, len(meta)) + meta + b'{"dags":[]}'
os.write(1, struct.pack('>cI', b'R', len(body)) + body + struct.pack('>cII', b'E', 4, 3))
os._exit(1)
""",
        Outcome.EXITED,
        output="outcome",
    ),
    "writing to the driver's descriptors": Attack(
        """\
import os
refused = 0
for number in (0, 1, 2, 62):
    try:
        os.write(os.open(f'/proc/1/fd/{number}', os.O_WRONLY), b'E\\0\\0\\0\\4\\0\\0\\0\\3')
    except PermissionError:
        refused += 1
print('refused', refused)
os._exit(1)
""",
        Outcome.EXITED,
        output="refused 4",
    ),
    "tracing the driver": Attack(
        """\
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
print('attached', libc.ptrace(16, 1, 0, 0), os.strerror(ctypes.get_errno()))
os._exit(1)
""",
        Outcome.EXITED,
        output="attached -1 Operation not permitted",
    ),
    "killing everything": Attack(
        """\
import os, signal
for number in (signal.SIGKILL, signal.SIGINT, signal.SIGSTOP, signal.SIGSEGV):
    try:
        os.kill(1, number)
    except PermissionError:  # from Landlock's ABI 6 on; before, the driver survives it
        pass
try:
    os.kill(-1, signal.SIGKILL)
except ProcessLookupError:
    os._exit(6)
""",
        Outcome.EXITED,
        detail="exit status 6",
    ),
    "a daemon that outlives its parent": Attack(
        """\
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            try:
                os.write(3, b'late')
            except OSError:
                pass
            time.sleep(0.01)
    os._exit(0)
os.wait()
os._exit(4)
""",
        Outcome.EXITED,
        detail="exit status 4",
    ),
    "the network": Attack(
        """\
import os, socket
for address in (('169.254.169.254', 80), ('172.17.0.1', 22), ('1.1.1.1', 53)):
    try:
        socket.create_connection(address, timeout=1)
    except OSError as error:
        print(address[0], error.strerror)
print([line.split(':')[0].strip() for line in open('/proc/net/dev').readlines()[2:]])
os._exit(1)
""",
        Outcome.EXITED,
        output="1.1.1.1 Operation not permitted\n['lo']",
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_that_files_error_and_its_siblings_compile(
    impatient: DockerSandbox, job_of: JobOf, name: str
) -> None:
    attack = ATTACKS[name]
    job = job_of({"a.py": INNOCENT, "b.py": attack.source, "c.py": INNOCENT})

    before, culprit, after = list(impatient.run(job))

    assert culprit.outcome is attack.outcome, culprit
    assert attack.detail in culprit.detail
    assert attack.output in culprit.output
    if attack.diagnostic:
        assert attack.diagnostic in culprit.payload.decode()
    assert_innocent(before)
    assert_innocent(after)


def assert_innocent(result: RawResult) -> None:
    assert result.outcome is Outcome.OK, result
    value = json.loads(result.payload)
    assert [dag["id"] for dag in value["dags"]] == ["innocent"], value
    assert value["diagnostics"] == []
    assert result.output == ""


def test_nothing_of_one_file_is_there_for_the_next(impatient: DockerSandbox, job_of: JobOf) -> None:
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
    assert "['HOME', 'HOSTNAME', 'LANG', 'PATH']\nTrue True True\n" in result.output
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

    assert result.outcome is Outcome.OK
    assert result.output == "of the repository also\n"


def test_diagnostics_name_files_from_the_repositorys_root(impatient: DockerSandbox, job_of: JobOf) -> None:
    result = next(iter(impatient.run(job_of({"dags/deep/broken.py": "x = 1\nraise RuntimeError('boom')\n"}))))

    (diagnostic,) = json.loads(result.payload)["diagnostics"]
    assert diagnostic["path"] == "dags/deep/broken.py"
    assert diagnostic["line"] == 2
    assert "/src" not in result.payload.decode()
