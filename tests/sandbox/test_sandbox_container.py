"""The container itself: its isolation layers as the engine reports them, its end, and its loss."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container

from compilers.formats.python import PYTHON
from compilers.sandbox.base import CompileOutcome, SandboxJob
from compilers.sandbox.config import LABEL_SERVICE, SandboxConfig, seccomp_profile
from compilers.sandbox.docker import DockerSandbox
from compilers.sandbox.limits import SandboxLimits
from compilers.sandbox.reaper import remove_orphans
from compilers.sandbox.source_tar import TreeRefused
from compilers.source import TreeEntry
from tests.sandbox.conftest import JobOf
from tests.support.trees import MemoryTree
from tests.support.waiting import PATIENCE_SECONDS

ROOT = Path(__file__).resolve().parents[2]
DAG = "from kiok import Dag\ndag = Dag('fine')\ndag.task('t', script='true')\n"
HANG = "import time\nprint('hanging')\ntime.sleep(3600)\n"
HANG_IN_A_PROGRAM = "import subprocess\nsubprocess.run(['sleep', '3600'])\n"


def containers_of(engine: docker.DockerClient, service: str) -> list[Container]:
    return engine.containers.list(
        all=True, filters={"label": f"{LABEL_SERVICE}={service}"}, ignore_removed=True
    )


def until(condition: Callable[[], object], *, seconds: float) -> bool:
    """Wait until the condition holds, which an idle machine does within `seconds`. Return whether it does."""
    end = time.monotonic() + max(seconds, PATIENCE_SECONDS)
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_the_engine_reports_the_isolation_layers(
    impatient: DockerSandbox, job_of: JobOf, engine: docker.DockerClient, service: str
) -> None:
    results = impatient.run(job_of({"a.py": DAG, "b.py": HANG}))
    next(results)
    (container,) = containers_of(engine, service)
    attributes = container.attrs
    results.close()  # type: ignore[attr-defined]

    host, config = attributes["HostConfig"], attributes["Config"]
    assert host["NetworkMode"] == "none"
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["Privileged"] is False
    assert "no-new-privileges" in host["SecurityOpt"]
    assert not [option for option in host["SecurityOpt"] if "unconfined" in option]
    assert host["PidsLimit"] == 64
    assert host["Memory"] == host["MemorySwap"] == 512 << 20
    assert host["NanoCpus"] == 1_000_000_000
    assert host["IpcMode"] == "none"
    assert host["CgroupnsMode"] == "private"
    assert {"/sys/devices", "/proc/kcore", "/proc/keys"} <= set(host["MaskedPaths"])
    assert f"seccomp={seccomp_profile()}" in host["SecurityOpt"]
    assert host["LogConfig"]["Type"] == "none"
    assert host["AutoRemove"] is True
    assert not host["Init"]
    assert not host["Binds"]
    assert attributes["Mounts"] == []
    assert not host["Devices"]
    assert {limit["Name"]: limit["Hard"] for limit in host["Ulimits"]} == {
        "nofile": 256,
        "core": 0,
        "fsize": 64 << 20,
    }
    for folder in ("/src", "/tmp"):
        assert {"noexec", "nosuid", "nodev", "mode=0700"} <= set(host["Tmpfs"][folder].split(","))
    assert int(config["User"].split(":")[0]) >= 20_000
    assert config["Tty"] is False
    names = ["HOME", "KIOK_SANDBOX_MEMORY_BYTES", "LANG", "PATH"]
    assert sorted(entry.split("=")[0] for entry in config["Env"]) == names
    assert config["Labels"]["kiok.sandbox"] == "1"


def test_a_container_is_removed_after_the_last_result(
    impatient: DockerSandbox, job_of: JobOf, engine: docker.DockerClient, service: str
) -> None:
    assert [result.outcome for result in impatient.run(job_of({"a.py": DAG}))] == [CompileOutcome.OK]
    assert until(lambda: not containers_of(engine, service), seconds=10)


def test_a_container_is_removed_when_the_caller_stops_reading(
    impatient: DockerSandbox, job_of: JobOf, engine: docker.DockerClient, service: str
) -> None:
    results = impatient.run(
        job_of({"a.py": DAG, "b.py": "import os\nwhile True: os.write(1, b'x' * 9999)\n"})
    )
    next(results)
    assert len(containers_of(engine, service)) == 1
    results.close()  # type: ignore[attr-defined]
    assert until(lambda: not containers_of(engine, service), seconds=10)


def test_a_container_dies_with_its_host(python_image: str, engine: docker.DockerClient, service: str) -> None:
    program = f"""
from compilers.sandbox.base import SandboxJob
from compilers.formats.python import PYTHON
from compilers.sandbox.config import SandboxConfig
from compilers.sandbox.docker import DockerSandbox
from tests.support.trees import MemoryTree
tree = MemoryTree({{"a.py": "import time; time.sleep(3600)"}})
sandbox = DockerSandbox(SandboxConfig(images={{PYTHON: {python_image!r}}}))
labels = (("{LABEL_SERVICE}", "{service}"),)
list(sandbox.run(SandboxJob(PYTHON, ["a.py"], tree.entries, tree, labels=labels)))
"""
    host = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        assert until(
            lambda: any(one.status == "running" for one in containers_of(engine, service)), seconds=30
        )
        time.sleep(0.5)
    finally:
        host.send_signal(signal.SIGKILL)
        host.wait()
    assert until(lambda: not containers_of(engine, service), seconds=10)


def test_a_lost_container_names_the_file_at_fault_and_no_other(
    python_image: str, job_of: JobOf, engine: docker.DockerClient, service: str
) -> None:
    """Every container that runs the hanging file is killed from outside, as if by the kernel."""
    sandbox = DockerSandbox(
        SandboxConfig(images={PYTHON: python_image}, limits=SandboxLimits(file_timeout_seconds=600))
    )
    done = threading.Event()
    killed: set[str] = set()

    def kill_what_hangs() -> None:
        client = docker.from_env()
        while not done.wait(0.1):
            for container in containers_of(client, service):
                with suppress(docker.errors.APIError):  # it does not run yet, or has ended in between
                    if "sleep" in str(container.top(ps_args="-eo pid,args")["Processes"]):
                        container.kill()
                        killed.add(str(container.name))

    killer = threading.Thread(target=kill_what_hangs)
    killer.start()
    try:
        results = list(
            sandbox.run(job_of({"a.py": DAG, "b.py": HANG_IN_A_PROGRAM, "c.py": DAG, "d.py": DAG}))
        )
    finally:
        done.set()
        killer.join()

    assert [(result.path, result.outcome) for result in results] == [
        ("a.py", CompileOutcome.OK),
        ("b.py", CompileOutcome.LOST),
        ("c.py", CompileOutcome.OK),
        ("d.py", CompileOutcome.OK),
    ]
    assert "ended before its last result" in results[1].detail
    assert len(killed) >= 2, "the files without an answer were not tried again"


def test_files_beyond_the_containers_deadline_are_reported(python_image: str, job_of: JobOf) -> None:
    limits = SandboxLimits(file_timeout_seconds=2, container_deadline_seconds=3)
    sandbox = DockerSandbox(SandboxConfig(images={PYTHON: python_image}, limits=limits))

    results = list(sandbox.run(job_of({"a.py": HANG, "b.py": HANG, "c.py": DAG})))

    assert [result.outcome for result in results] == [CompileOutcome.TIMEOUT] * 3
    assert "deadline passed before this file's start" in results[2].detail


def test_one_sandbox_serves_concurrent_threads(impatient: DockerSandbox, job_of: JobOf) -> None:
    jobs = [job_of({f"{name}.py": DAG.replace("fine", name)}) for name in "abcd"]
    found: dict[int, str] = {}

    def run(at: int) -> None:
        (result,) = impatient.run(jobs[at])
        found[at] = json.loads(result.payload)["dags"][0]["id"]

    threads = [threading.Thread(target=run, args=(at,)) for at in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == dict(enumerate("abcd"))


def test_one_sandbox_serves_a_process_forked_after_its_first_use(
    impatient: DockerSandbox, job_of: JobOf
) -> None:
    job = job_of({"a.py": DAG})
    assert len(list(impatient.run(job))) == 1
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = 0 if [r.outcome for r in impatient.run(job)] == [CompileOutcome.OK] else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert len(list(impatient.run(job))) == 1


def test_a_large_tree_arrives_whole(impatient: DockerSandbox, service: str) -> None:
    contents = {f"data/{at % 50:02}/{at:04}-äöü.bin": os.urandom(9_000) for at in range(2_000)}
    contents["data/" + "long/" * 60 + "name.bin"] = b"deep"
    contents["empty.bin"] = b""
    check = """\
import hashlib, os
sums = []
for folder, _, names in os.walk('/src/data'):
    for name in names:
        path = os.path.join(folder, name)
        digest = hashlib.sha256(open(path, 'rb').read()).hexdigest()
        sums.append((path[5:], digest, oct(os.stat(path).st_mode)))
print(hashlib.sha256(repr(sorted(sums)).encode()).hexdigest(), os.path.getsize('/src/empty.bin'))
"""
    import hashlib

    expected = hashlib.sha256(
        repr(
            sorted(
                (path, hashlib.sha256(data).hexdigest(), "0o100444")
                for path, data in contents.items()
                if path.startswith("data/")
            )
        ).encode()
    ).hexdigest()
    tree = MemoryTree({**contents, "check.py": check})
    job = SandboxJob(PYTHON, ["check.py"], tree.entries, tree, labels=((LABEL_SERVICE, service),))

    (result,) = impatient.run(job)

    assert result.output == f"{expected} 0\n"


def test_the_trees_own_error_passes_and_leaves_no_container(
    impatient: DockerSandbox, job_of: JobOf, engine: docker.DockerClient, service: str
) -> None:
    class Broken(MemoryTree):
        def read(self, entries: Iterable[TreeEntry]) -> Iterator[tuple[TreeEntry, bytes]]:
            yield self.entries[0], DAG.encode()
            raise ConnectionResetError("git died")

    tree = Broken({"a.py": DAG, "b.py": DAG})
    job = replace(job_of({"a.py": DAG, "b.py": DAG}), tree=tree)
    with pytest.raises(ConnectionResetError, match="git died"):
        list(impatient.run(job))
    assert until(lambda: not containers_of(engine, service), seconds=10)


@pytest.mark.parametrize(
    ("path", "mode", "message"),
    [
        ("../out.py", "100644", "no plain relative path"),
        ("/etc/passwd", "100644", "no plain relative path"),
        ("a/./b.py", "100644", "no plain relative path"),
        ("a//b.py", "100644", "no plain relative path"),
        ("nul\0.py", "100644", "no plain relative path"),
        ("bad-\udcff.py", "100644", "not UTF-8"),
        ("x" * 300, "100644", "too long"),
        ("link.py", "120000", "no regular file"),
        ("module", "160000", "no regular file"),
        ("a.py/below.py", "100644", "as a file and as a folder"),
    ],
)
def test_a_hostile_name_is_refused_before_a_container_starts(
    impatient: DockerSandbox, engine: docker.DockerClient, service: str, path: str, mode: str, message: str
) -> None:
    tree = MemoryTree({"a.py": DAG, path: "x"}, modes={path: mode})
    job = SandboxJob(PYTHON, ["a.py"], tree.entries, tree, labels=((LABEL_SERVICE, service),))
    with pytest.raises(TreeRefused, match=message):
        next(impatient.run(job))
    assert until(lambda: not containers_of(engine, service), seconds=10)


def test_containers_of_dead_syncs_are_removed_and_no_others(
    impatient: DockerSandbox, python_image: str, engine: docker.DockerClient, service: str
) -> None:
    def leave(owner: str, sync: str) -> Container:
        return engine.containers.create(
            python_image, labels={"kiok.sandbox": "1", LABEL_SERVICE: owner, "kiok.sync": sync}
        )

    dead, alive, foreign = leave(service, "1"), leave(service, "2"), leave(service + "-other", "1")
    try:
        removed = remove_orphans(impatient.engine, service, lambda sync: sync == "2")
        assert removed == [dead.id]
        assert [one.id for one in containers_of(engine, service)] == [alive.id]
        assert [one.id for one in containers_of(engine, service + "-other")] == [foreign.id]
    finally:
        alive.remove()
        foreign.remove()
