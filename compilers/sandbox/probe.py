"""The file that `check` compiles in a container: it tests the isolation layers and reports what they did not block.

Runs in the container with the standard library only; the host only reads it. Each attempt runs in its own process, so
that an unexpected success does not affect the next one.
"""

from __future__ import annotations

import ctypes
import errno
import json
import mmap
import os
import resource
import signal
from collections.abc import Callable
from functools import partial
from typing import NoReturn

_RESULT_FD = 3
_LANDLOCK_CREATE_RULESET = 444
_PTRACE_ATTACH, _CLONE_NEWUSER = 16, 0x10000000

# The numbers on x86-64 and on 64-bit ARM, and the first argument. None of these calls has an effect if allowed.
_CALLS = {
    "bpf": (321, 280, 0),
    "io_uring_setup": (425, 425, 0),
    "keyctl": (250, 219, 0),
    "memfd_create": (319, 279, 0),
    "mount": (165, 40, 0),
    "perf_event_open": (298, 241, 0),
    "pidfd_getfd": (438, 438, 0),
    "process_vm_readv": (310, 270, 0),
    "ptrace": (101, 117, _PTRACE_ATTACH),
    "shmget": (29, 194, 0),
    "unshare (user namespace)": (272, 97, _CLONE_NEWUSER),
    "userfaultfd": (323, 282, 0),
    "socket AF_UNIX": (41, 198, 1),
    "socket AF_INET": (41, 198, 2),
    "socket AF_NETLINK": (41, 198, 16),
    "socket AF_ALG": (41, 198, 38),
    "socket AF_VSOCK": (41, 198, 40),
}
_FOLDERS = (
    *("/", "/src", "/dev", "/dev/shm", "/dev/mqueue", "/etc", "/opt", "/run", "/sys", "/proc"),  # noqa: S108
    "/var/tmp",  # noqa: S108
)
_HOST = ("/sys/block", "/sys/class", "/sys/devices", "/sys/firmware", "/sys/kernel", "/sys/module")
# The file system or the mode may refuse before Landlock does.
_REFUSALS = (errno.EPERM, errno.EACCES, errno.EROFS, errno.ENOENT, errno.ENOTSUP, errno.ENOSYS)


def report(sibling: str, max_processes: int) -> NoReturn:
    """Make all attempts, send a JSON object, and exit. `sibling` is the path of a file to tamper with."""
    found = {
        "uid": os.getuid(),
        "status": _status(),
        "landlock": max(0, _call(_LANDLOCK_CREATE_RULESET, None, 0, 1)),
        "calls": [name for name, call in _CALLS.items() if _is_let_through(_try_call(*call))],
        "sibling": _given_way(
            {
                "write": lambda: os.open(sibling, os.O_WRONLY | os.O_TRUNC),
                "chmod": lambda: os.chmod(sibling, 0o600),  # noqa: PTH101
                "utime": lambda: os.utime(sibling, (0, 0)),
                "rename": lambda: os.rename(sibling, sibling + ".moved"),  # noqa: PTH104
                "forge": lambda: _forge(sibling),
            }
        ),
        "elsewhere": [folder for folder in _FOLDERS if _is_let_through(_outcome(partial(_make_in, folder)))],
        "driver": _given_way(
            {
                "its environment": lambda: os.open("/proc/1/environ", os.O_RDONLY),
                "its memory": lambda: os.open("/proc/1/mem", os.O_RDWR),
                "its descriptors": lambda: os.listdir("/proc/1/fd"),  # noqa: PTH208
                "its limits": lambda: resource.prlimit(1, resource.RLIMIT_NOFILE, (64, 64)),
            }
        ),
        "interfaces": _interfaces(),
        "sys": [folder for folder in _HOST if os.path.isdir(folder) and os.listdir(folder)],  # noqa: PTH112, PTH208
        "executable": not _is_noexec("/tmp"),  # noqa: S108
        "tmp_bytes": _size("/tmp"),  # noqa: S108
        "src_bytes": _size("/src"),
        "tmp_inodes": os.statvfs("/tmp").f_files,  # noqa: S108
        "src_inodes": os.statvfs("/src").f_files,
        "control_groups": _control_groups(),
        "open_files": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
    }
    found["processes"] = _processes(max_processes)
    os.write(_RESULT_FD, json.dumps(found).encode())
    # Last, because a driver killed by it could not answer any more.
    _outcome(lambda: os.kill(1, signal.SIGKILL))
    os._exit(0)


def fill(max_bytes: int) -> NoReturn:
    """Take memory that no limit of the process itself counts until the kernel refuses. Print how much was taken."""
    step = 1 << 24
    held = []
    for taken in range(0, max_bytes, step):
        held.append(mmap.mmap(-1, step))
        held[-1].write(b"\1" * step)
        os.write(1, b"%d " % ((taken + step) >> 20))
    os._exit(0)


def _outcome(attempt: Callable[[], object]) -> int:
    """Run an attempt in its own process and return its errno; 0 if it was not blocked."""
    pid = os.fork()
    if pid == 0:
        code = 0
        try:
            attempt()
        except OSError as error:
            code = error.errno or errno.EIO
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _is_let_through(code: int) -> bool:
    return code not in _REFUSALS


def _given_way(attempts: dict[str, Callable[[], object]]) -> list[str]:
    return [name for name, attempt in attempts.items() if _is_let_through(_outcome(attempt))]


def _try_call(on_x86: int, on_arm: int, first: int) -> int:
    number = on_arm if os.uname().machine == "aarch64" else on_x86
    # The type of a socket; the other calls take 0, or fail after the filter.
    second = 2 if number in (41, 198) else 0

    def attempt() -> None:
        if _call(number, first, second, 0, 0, 0) < 0:
            raise OSError(ctypes.get_errno(), "")

    return _outcome(attempt)


def _call(number: int, *arguments: int | None) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    given = [None if argument is None else ctypes.c_long(argument) for argument in arguments]
    result: int = libc.syscall(ctypes.c_long(number), *given)
    return result


def _make_in(folder: str) -> None:
    os.mkdir(f"{folder}/kiok-probe")  # noqa: PTH102


def _forge(path: str) -> None:
    os.unlink(path)  # noqa: PTH108
    with open(path, "w") as file:  # noqa: PTH123
        file.write("from kiok import Dag\ndag = Dag('forged')\ndag.task('t', script='true')\n")


def _status() -> dict[str, str]:
    """Return the container's own restrictions, as they apply to its first process."""
    with open("/proc/1/status") as file:  # noqa: PTH123
        lines = dict(line.split(":", 1) for line in file)
    return {name: lines.get(name, "").strip() for name in ("CapEff", "CapBnd", "NoNewPrivs", "Seccomp")}


def _interfaces() -> list[str]:
    with open("/proc/net/dev") as file:  # noqa: PTH123
        return sorted(line.split(":")[0].strip() for line in file.readlines()[2:])


def _control_groups() -> list[str]:
    """Return the paths of this process's control groups, except the root that a namespace shows."""
    with open("/proc/self/cgroup") as file:  # noqa: PTH123
        paths = [line.rstrip("\n").split(":", 2)[2] for line in file]
    return sorted({path for path in paths if path != "/"}, key=lambda path: (-len(path), path))


def _is_noexec(folder: str) -> bool:
    return bool(os.statvfs(folder).f_flag & os.ST_NOEXEC)


def _size(folder: str) -> int:
    found = os.statvfs(folder)
    return found.f_blocks * found.f_frsize


def _processes(most: int) -> int:
    """Return the number of processes in the container, including this one and the driver, when fork fails."""
    made: list[int] = []
    try:
        while len(made) < most:
            pid = os.fork()
            if pid == 0:
                signal.pause()
            made.append(pid)
    except OSError:
        pass
    for pid in made:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return len(made) + 2
