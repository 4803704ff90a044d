"""The confinement of a file's process, prepared once before any process is forked."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C module behind signal
import ctypes
import os
import resource
import signal
import sys
from dataclasses import dataclass

from compilers.images.driver import landlock, modes

TMP = "/tmp"  # noqa: S108  the container's own tmpfs

_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38
_IGNORED_BY_PYTHON = frozenset({signal.SIGPIPE, signal.SIGXFSZ})
# As plain numbers: the signal module's enumeration costs more than the calls.
_SIGNALS = tuple(
    (int(number), int(signal.SIG_IGN if number in _IGNORED_BY_PYTHON else signal.SIG_DFL))
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
)

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Confinement:
    """The isolation layers of a child, ready for the kernel. `ruleset` is a descriptor; None without Landlock."""

    landlock_version: int
    ruleset: int | None
    modes: modes.Filter

    @classmethod
    def prepared(cls) -> Confinement:
        """Prepare the confinement of all children of this process. Raises OSError."""
        # Line-buffered, so that a crash does not lose the file's earlier output.
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
        _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)  # Docker has set it already; the layers depend on it
        version = landlock.abi()
        # Without Landlock this container has one file only: see driver.TooManyFiles.
        ruleset = landlock.ruleset(version, TMP) if version else None
        return cls(version, ruleset, modes.filter_of_modes())

    def enter(self) -> None:
        """Confine this process, except for its descriptors. The ruleset's must still be open. Raises OSError."""
        os.setsid()
        _handle_signals()
        _be_first_to_die()
        os.chdir("/")
        os.umask(0o077)
        if self.ruleset is not None:
            landlock.restrict(self.landlock_version, self.ruleset)
        modes.freeze(self.modes)


def limit(*, open_files: int, file_bytes: int, cpu_seconds: int, memory_bytes: int) -> None:
    """Set this process's resource limits; 0 bytes of memory means no limit."""
    for which, wanted in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, open_files),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_DATA, memory_bytes),
    ):
        if which == resource.RLIMIT_DATA and not wanted:
            continue
        hard = resource.getrlimit(which)[1]
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(which, (value, value))


def _handle_signals() -> None:
    """Set the signal handlers of an ordinary Python process instead of the driver's, which ignore signals."""
    for number, handler in _SIGNALS:
        _signal.signal(number, handler)
    _signal.signal(signal.SIGINT, _signal.default_int_handler)


def _be_first_to_die() -> None:
    """Make the kernel kill this process before the driver when memory runs out.

    The driver is not dumpable, so its child must become dumpable before it may write its own /proc files.
    """
    _libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
    file = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    os.write(file, b"1000")
    os.close(file)
