"""The walls, each tried from inside a child of a real container."""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import docker
import pytest

from compilers.base import Outcome, SandboxJob
from compilers.sandbox import LABEL_SERVICE, DockerSandbox, SandboxConfig
from compilers.sandbox.config import seccomp_profile
from tests.sandbox.jar_runs import run_jar
from tests.sandbox.javac import compile_jar

JobOf = Callable[[dict[str, str]], SandboxJob]
DAG = "from kiok import Dag\ndag = Dag('fine')\ndag.task('t', script='true')\n"

# By name: the numbers on x86-64 and on 64-bit ARM.
FORBIDDEN_CALLS = {
    "accept4": (288, 242),
    "add_key": (248, 217),
    "bind": (49, 200),
    "bpf": (321, 280),
    "chown": (92, 55),
    "chroot": (161, 51),
    "clock_settime": (227, 112),
    "connect": (42, 203),
    "delete_module": (176, 106),
    "execveat": (322, 281),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsopen": (430, 430),
    "get_mempolicy": (239, 236),
    "inotify_init1": (294, 26),
    "io_setup": (206, 0),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioprio_set": (251, 30),
    "kcmp": (312, 272),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "listen": (50, 201),
    "mbind": (237, 235),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "migrate_pages": (256, 238),
    "mlock": (149, 228),
    "modify_ldt": (154, 179),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "mq_open": (240, 180),
    "mq_timedsend": (242, 182),
    "msgget": (68, 186),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "pkey_alloc": (330, 289),
    "process_madvise": (440, 440),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "recvmsg": (47, 212),
    "request_key": (249, 218),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "seccomp": (317, 277),
    "semget": (64, 190),
    "sendmsg": (46, 211),
    "setns": (308, 268),
    "setpriority": (141, 140),
    "setresuid": (117, 147),
    "shmat": (30, 196),
    "shmget": (29, 194),
    "socketpair": (53, 199),  # of family 0; see below for AF_UNIX
    "splice": (275, 76),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "tee": (276, 77),
    "timer_create": (222, 107),
    "timerfd_create": (283, 85),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "vhangup": (153, 58),
    "vmsplice": (278, 75),
}
# AF_UNIX, INET, INET6, NETLINK, PACKET, ALG, VSOCK, XDP
SOCKET_FAMILIES = (1, 2, 10, 16, 17, 38, 40, 44)
NAMESPACES = {"ns": 0x20000, "cgroup": 0x02000000, "uts": 0x04000000, "ipc": 0x08000000}
NAMESPACES |= {"user": 0x10000000, "pid": 0x20000000, "net": 0x40000000}

# What every probe can use, and how it answers: `report` is the payload.
PROBE = """\
import ctypes, errno, fcntl, json, os, resource, signal, sys
ARM = os.uname().machine == 'aarch64'
libc = ctypes.CDLL(None, use_errno=True)

def number(call, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(call), *[ctypes.c_long(one) for one in arguments])
    return ctypes.get_errno() if result < 0 else 0

def tried(function, *arguments):
    try:
        function(*arguments)
    except OSError as error:
        return error.errno
    return 0

def answer(report):
    os.write(3, json.dumps(report).encode())
    os._exit(0)
"""

CALLS_PROBE = f"""{PROBE}
calls = {FORBIDDEN_CALLS}
# Not PTRACE_TRACEME (0), which would stop this process at its next signal, but PTRACE_ATTACH.
first = {{'ptrace': 16}}
report = {{name: number(both[ARM], first.get(name, 0), *[0] * 5) for name, both in calls.items()}}
report |= {{f'socket {{family}}': number(198 if ARM else 41, family, 2, 0) for family in {SOCKET_FAMILIES}}}
clone = 220 if ARM else 56
for name, flag in {NAMESPACES}.items():
    made = libc.syscall(ctypes.c_long(clone), ctypes.c_long(flag | signal.SIGCHLD), None, None, None, None)
    if made == 0:
        os._exit(0)
    report[f'clone {{name}}'] = ctypes.get_errno() if made < 0 else 0
answer(report)
"""

FILES_PROBE = f"""{PROBE}
sibling = '/src/b.py'
os.makedirs('/tmp/own')
open('/tmp/own/file', 'w').write('x')
report = {{
    'read': tried(lambda: open(sibling).read()),
    'write': tried(open, sibling, 'w'),
    'append': tried(open, sibling, 'a'),
    'truncate': tried(os.truncate, sibling, 0),
    'rename': tried(os.rename, sibling, '/src/moved.py'),
    'rename into': tried(os.rename, '/tmp/own/file', sibling),
    'exchange': tried(os.replace, '/src/a.py', sibling),
    'unlink': tried(os.unlink, sibling),
    'link': tried(os.link, '/src/a.py', '/src/linked.py'),
    'link out': tried(os.link, sibling, '/tmp/linked.py'),
    'symlink': tried(os.symlink, '/tmp/x', '/src/link'),
    'make': tried(os.open, '/src/new.py', os.O_CREAT | os.O_WRONLY),
    'mkdir': tried(os.mkdir, '/src/new'),
    'mkfifo': tried(os.mkfifo, '/src/fifo'),
    'rmdir': tried(os.rmdir, '/src/folder'),
    'chmod': tried(os.chmod, sibling, 0),
    'fchmod': tried(os.fchmod, os.open(sibling, os.O_RDONLY), 0),
    'fchmodat2': number(452, -100, ctypes.cast(b'/src/b.py', ctypes.c_void_p).value, 0, 0),
    'chmod of the folder': tried(os.chmod, '/src', 0),
    'utime': tried(os.utime, sibling, (0, 0)),
    'setxattr': tried(os.setxattr, sibling, 'user.x', b'x'),
    'memory of another': tried(open, '/proc/1/mem', 'r+b'),
    'own oom_score_adj': tried(open, '/proc/self/oom_score_adj', 'w'),
    'terminal': tried(open, '/dev/ptmx', 'r+b'),
    'queue': tried(os.open, '/dev/mqueue/x', os.O_CREAT | os.O_RDWR),
    'root': tried(os.mkdir, '/x'),
    'device folder': tried(os.mkdir, '/dev/x'),
    'a device': tried(os.mknod, '/tmp/null', 0o020600, os.makedev(1, 3)),
    'a socket': tried(os.mknod, '/tmp/socket', 0o140600),
    'a program of its own': None,
}}
os.close(os.open('/tmp/program', os.O_CREAT | os.O_WRONLY, 0o700))
report['a program of its own'] = tried(os.execv, '/tmp/program', ['x'])
report['sys'] = [name for name in os.listdir('/sys') if name != 'fs' and os.listdir('/sys/' + name)]
report['cgroups'] = sorted({{line.strip().split(':', 2)[2] for line in open('/proc/self/cgroup')}})
report['interrupts'] = open('/proc/interrupts').read()
answer(report)
"""

PERMITTED_PROBE = f"""{PROBE}
import asyncio, shutil, subprocess, tempfile, threading
with tempfile.TemporaryDirectory() as folder:
    with open(folder + '/a', 'w') as file:
        file.write('a')
    shutil.copyfile(folder + '/a', folder + '/b')
    os.rename(folder + '/b', folder + '/c')
    os.mkdir(folder + '/sub')
    os.rename(folder + '/c', folder + '/sub/c')
    os.symlink('c', folder + '/sub/link')
    os.mkfifo(folder + '/fifo')
    os.truncate(folder + '/sub/c', 0)
print('said', file=open('/dev/null', 'w'))
thread = threading.Thread(target=lambda: None)
thread.start(); thread.join()
asyncio.run(asyncio.to_thread(lambda: None))
assert subprocess.run(['/bin/true'], check=True).returncode == 0
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
reader, writer = os.pipe()
os.set_inheritable(reader, True)
asleep = os.fork()
if not asleep:
    signal.pause()
os.kill(asleep, signal.SIGKILL)
os.waitpid(asleep, 0)
answer({{
    'oom_score_adj': open('/proc/self/oom_score_adj').read().strip(),
    'limits': {{
        'core': resource.getrlimit(resource.RLIMIT_CORE)[1],
        'file size': resource.getrlimit(resource.RLIMIT_FSIZE)[1],
        'data': resource.getrlimit(resource.RLIMIT_DATA)[1],
        'cpu': resource.getrlimit(resource.RLIMIT_CPU)[1],
    }},
    'the driver\\'s limits': tried(resource.prlimit, 1, resource.RLIMIT_NOFILE, (1, 1)),
    'sending the terminal a character': tried(fcntl.ioctl, 0, 0x5412, b'x'),
    'clone3': number(435, 0, 0),
    'undumpable': tried(open, '/proc/1/environ'),
    'landlock': libc.syscall(ctypes.c_long(444), None, ctypes.c_long(0), ctypes.c_long(1)),
    'signal to the driver': tried(os.kill, 1, signal.SIGTERM),
    'status': open('/proc/self/status').read(),
}})
"""


def probe(sandbox: DockerSandbox, job: SandboxJob) -> dict[str, Any]:
    """What the job's first file reports; the others are looked at by nobody."""
    first, *others = sandbox.run(job)
    assert first.outcome is Outcome.OK, first
    assert all(other.outcome is Outcome.OK for other in others), others
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
    """Without it, a process without privileges reaches the kernel by most of them."""
    unconfined = DockerSandbox(replace(impatient_config, seccomp_profile="unconfined"))

    found = probe(unconfined, job_of({"a.py": CALLS_PROBE}))

    through = {name for name, code in found.items() if code != errno.EPERM}
    assert {"io_uring_setup", "keyctl", "memfd_create", "shmget", "ptrace", "unshare"} <= through
    assert {f"socket {family}" for family in (1, 2, 10, 16)} <= through


def test_a_child_can_neither_alter_its_siblings_nor_anything_outside_its_own_folder(
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
    assert found["limits"] == {"core": 0, "file size": 64 << 20, "data": 384 << 20, "cpu": 5}
    assert found["the driver's limits"] == errno.EPERM
    assert found["sending the terminal a character"] == errno.EPERM
    assert found["clone3"] == errno.ENOSYS
    assert found["undumpable"] == errno.EACCES
    assert found["landlock"] >= 1
    # Before ABI 6 it is sent, and the driver is deaf to it.
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
def test_a_call_in_the_manner_of_other_programs_is_the_end_of_the_process(
    impatient: DockerSandbox, job_of: JobOf, manner: str
) -> None:
    """Its numbers mean other calls, so a filter by number must not see them at all."""
    result, after = impatient.run(job_of({"a.py": OTHER_MANNERS[manner], "b.py": DAG}))

    assert result.outcome is Outcome.KILLED
    assert signal.Signals.SIGSYS.name in result.detail
    assert result.output == "before\n"
    assert after.outcome is Outcome.OK


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
    # The end: a JVM that does not see the container's limits takes the host's for its own.
    assert "denied denied denied Operation not permitted of 512\n" in message + "\n"


def without_landlock() -> str:
    """The sandbox's profile, but Landlock's calls answer as those of a kernel that has none."""
    profile = json.loads(seccomp_profile())
    for group in profile["syscalls"]:
        if "landlock_create_ruleset" in group["names"]:
            group |= {"action": "SCMP_ACT_ERRNO", "errnoRet": errno.ENOSYS}
    return json.dumps(profile)


@pytest.fixture
def old_kernel(impatient_config: SandboxConfig) -> DockerSandbox:
    return DockerSandbox(replace(impatient_config, seccomp_profile=without_landlock()))


def started(engine: docker.DockerClient, service: str, since: float) -> int:
    """How many containers of the service the engine has started since then."""
    filters = {"event": "start", "label": f"{LABEL_SERVICE}={service}"}
    return len(list(engine.events(since=int(since), until=int(time.time()) + 1, filters=filters)))


def test_without_landlock_each_file_has_a_container_of_its_own_and_one_warning_says_so(
    old_kernel: DockerSandbox,
    job_of: JobOf,
    caplog: pytest.LogCaptureFixture,
    engine: docker.DockerClient,
    service: str,
) -> None:
    files = {"a.py": DAG, "b.py": DAG.replace("fine", "other")}
    begun = time.time()
    with caplog.at_level(logging.WARNING, "compilers.sandbox.docker"):
        first = list(old_kernel.run(job_of(files)))
        second = list(old_kernel.run(job_of(files)))

    for results in (first, second):
        assert [(result.path, result.outcome) for result in results] == [(name, Outcome.OK) for name in files]
    # The first is where it was found out, before any file was run.
    assert started(engine, service, begun) == 1 + 2 * len(files)
    (record,) = [record for record in caplog.records if record.name == "compilers.sandbox.docker"]
    assert "no Landlock" in record.getMessage()
    assert "Each file gets a container of its own" in record.getMessage()


def test_without_landlock_a_file_that_rewrites_its_sibling_harms_nothing(
    old_kernel: DockerSandbox, job_of: JobOf
) -> None:
    rewrite = f"""{PROBE}
import os
os.rename('/src/b.py', '/src/gone')
with open('/src/b.py', 'w') as file:
    file.write("from kiok import Dag\\ndag = Dag('forged')\\ndag.task('t', script='true')\\n")
answer({{'rewritten': open('/src/b.py').read()}})
"""
    culprit, sibling = old_kernel.run(job_of({"a.py": rewrite, "b.py": DAG}))

    assert "forged" in json.loads(culprit.payload)["rewritten"]
    assert [dag["id"] for dag in json.loads(sibling.payload)["dags"]] == ["fine"]


def test_with_landlock_the_same_file_cannot(impatient: DockerSandbox, job_of: JobOf) -> None:
    culprit, sibling = impatient.run(
        job_of({"a.py": "import os\nos.rename('/src/b.py', '/src/gone')\n", "b.py": DAG})
    )

    assert "Permission denied" in json.loads(culprit.payload)["diagnostics"][0]["message"]
    assert [dag["id"] for dag in json.loads(sibling.payload)["dags"]] == ["fine"]
