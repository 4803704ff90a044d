"""The isolation layers, each tested from inside a child of a real container."""

from __future__ import annotations

import errno
import json
import os
import signal
from dataclasses import replace
from typing import Any

import pytest

from compilers.sandbox.base import CompileOutcome, SandboxJob
from compilers.sandbox.config import SandboxConfig
from compilers.sandbox.docker import DockerSandbox
from tests.sandbox.conftest import JobOf
from tests.sandbox.jar_runs import run_jar
from tests.sandbox.javac import compile_jar
from tests.sandbox.probes import (
    CALLS_PROBE,
    FILES_PROBE,
    FORBIDDEN_CALLS,
    NAMESPACES,
    PERMITTED_PROBE,
    SOCKET_FAMILIES,
)

DAG = "from kiok import Dag\ndag = Dag('fine')\ndag.task('t', script='true')\n"


def probe(sandbox: DockerSandbox, job: SandboxJob) -> dict[str, Any]:
    """Return the report of the job's first file; the other results are not used."""
    first, *others = sandbox.run(job)
    assert first.outcome is CompileOutcome.OK, first
    assert all(other.outcome is CompileOutcome.OK for other in others), others
    value: dict[str, Any] = json.loads(first.payload)
    return value


def test_no_forbidden_call_gets_through(impatient: DockerSandbox, job_of: JobOf) -> None:
    found = probe(impatient, job_of({"a.py": CALLS_PROBE}))

    assert {
        name: errno.errorcode.get(code, code) for name, code in found.items() if code != errno.EPERM
    } == {}
    assert len(found) == len(FORBIDDEN_CALLS) + len(SOCKET_FAMILIES) + len(NAMESPACES)


def test_the_calls_are_refused_by_the_profile_and_not_by_chance(
    impatient_config: SandboxConfig, job_of: JobOf
) -> None:
    """Without the profile, an unprivileged process reaches the kernel through most of them."""
    unconfined = DockerSandbox(replace(impatient_config, seccomp_profile="unconfined"))

    found = probe(unconfined, job_of({"a.py": CALLS_PROBE}))

    through = {name for name, code in found.items() if code != errno.EPERM}
    assert {"io_uring_setup", "keyctl", "memfd_create", "shmget", "ptrace", "unshare"} <= through
    assert {f"socket {family}" for family in (1, 2, 10, 16)} <= through


def test_a_child_cannot_change_siblings_or_files_outside_its_folder(
    impatient: DockerSandbox, job_of: JobOf
) -> None:
    found = probe(impatient, job_of({"a.py": FILES_PROBE, "b.py": DAG, "folder/c.py": DAG}))

    assert found.pop("read") == 0
    assert found.pop("sys") == []
    assert found.pop("cgroups") == ["/"]
    assert found.pop("interrupts") == ""
    by_filter = ("chmod", "fchmod", "fchmodat2", "chmod of the folder", "utime", "a device", "a socket")
    others = {
        "setxattr": "ENOTSUP",
        "rename into": "EXDEV",
        "link out": "EXDEV",
        "terminal": "ENOENT",
        "root": "EROFS",
        "queue": "EROFS",
    }
    expected = {**dict.fromkeys(found, "EACCES"), **dict.fromkeys(by_filter, "EPERM"), **others}
    assert {name: errno.errorcode.get(code, code) for name, code in found.items()} == expected


def test_a_child_keeps_what_an_ordinary_program_needs_and_no_more(
    impatient: DockerSandbox, job_of: JobOf
) -> None:
    found = probe(impatient, job_of({"a.py": PERMITTED_PROBE}))

    assert found["oom_score_adj"] == "1000"
    assert found["limits"] == {"core": 0, "file size": 64 << 20, "data": 384 << 20, "cpu": 8}
    assert found["the driver's limits"] == errno.EPERM
    assert found["sending the terminal a character"] == errno.EPERM
    assert found["clone3"] == errno.ENOSYS
    assert found["undumpable"] == errno.EACCES
    assert found["landlock"] >= 1
    # Before ABI 6 it is sent, but the driver ignores it.
    assert found["signal to the driver"] == (errno.EPERM if found["landlock"] >= 6 else 0)
    for line in ("NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000"):
        assert line in found["status"]


# Machine code of i386: mov eax, 20 (getpid); int 0x80; ret. And getpid among the calls of x32.
OTHER_MANNERS = {
    "32-bit": """\
import ctypes, mmap
code = mmap.mmap(-1, 4096, prot=7)
code.write(b'\\xb8\\x14\\0\\0\\0\\xcd\\x80\\xc3')
print('before', flush=True)
print('after', ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))())
""",
    "x32": """\
import ctypes
print('before', flush=True)
print('after', ctypes.CDLL(None).syscall(ctypes.c_long(0x40000000 + 39)))
""",
}


@pytest.mark.parametrize("manner", OTHER_MANNERS if os.uname().machine == "x86_64" else [])
def test_a_system_call_of_another_abi_ends_the_process(
    impatient: DockerSandbox, job_of: JobOf, manner: str
) -> None:
    """Its numbers mean other calls, so a filter by number must not see them at all."""
    result, after = impatient.run(job_of({"a.py": OTHER_MANNERS[manner], "b.py": DAG}))

    assert result.outcome is CompileOutcome.KILLED
    assert signal.Signals.SIGSYS.name in result.detail
    assert result.output == "before\n"
    assert after.outcome is CompileOutcome.OK


def test_a_jvm_is_inside_the_walls_of_the_child_that_starts_it(
    sandbox: DockerSandbox, java_builder_image: str
) -> None:
    source = """package com.acme;
import com.cloudcheflabs.kiok.sdk.Dag;
import com.cloudcheflabs.kiok.sdk.KiokDag;
import java.nio.file.*;
public class Escapes implements KiokDag {
    @Override public Dag define() {
        StringBuilder found = new StringBuilder();
        for (String path : new String[] {"/src/lib/dags.jar", "/src/new", "/proc/self/comm"}) {
            try { Files.write(Paths.get(path), new byte[1]); found.append("wrote ").append(path); }
            catch (AccessDeniedException e) { found.append("denied "); }
            catch (java.io.IOException e) { found.append(e); }
        }
        try { new java.net.Socket("127.0.0.1", 1); } catch (java.io.IOException e) { found.append(e.getMessage()); }
        try { Files.write(Paths.get("/tmp/own"), new byte[1]); } catch (java.io.IOException e) { found.append(e); }
        found.append(" of ").append(((com.sun.management.OperatingSystemMXBean)
            java.lang.management.ManagementFactory.getOperatingSystemMXBean()).getTotalPhysicalMemorySize() >> 20);
        throw new IllegalStateException(found.toString());
    }
}
"""
    run = run_jar(sandbox, compile_jar({"com/acme/Escapes.java": source}))

    (message,) = run.messages
    # The end: a JVM that does not see the container's limits uses the host's.
    assert "denied denied denied Operation not permitted of 512\n" in message + "\n"
