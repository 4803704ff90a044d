"""What shuts the process of one file in, made ready once, before any is forked."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # what signal wraps
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
# As plain numbers: the enumeration of the signal module costs more than the calls.
_SIGNALS = tuple(
    (int(number), int(signal.SIG_IGN if number in _IGNORED_BY_PYTHON else signal.SIG_DFL))
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
)

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Confinement:
    """The walls of a child, as the kernel takes them. `ruleset` is a descriptor; None where there is no Landlock."""

    landlock_version: int
    ruleset: int | None
    modes: modes.Filter

    @classmethod
    def prepared(cls) -> Confinement:
        """For all children of this process. Raises OSError."""
        # By line, so that what a file printed before a crash is not lost with the buffer.
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
        _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)  # Docker has set it; the walls depend on it
        version = landlock.abi()
        # Where there is none, this container has one file only: see driver.Crowded.
        ruleset = landlock.ruleset(version, TMP) if version else None
        return cls(version, ruleset, modes.filter_of_modes())

    def enter(self) -> None:
        """Shut this process in, but for its descriptors. The ruleset's is still open then. Raises OSError."""
        os.setsid()
        _handle_signals()
        _be_first_to_die()
        os.chdir("/")
        os.umask(0o077)
        if self.ruleset is not None:
            landlock.restrict(self.landlock_version, self.ruleset)
        modes.freeze(self.modes)


def limit(*, open_files: int, file_bytes: int, cpu_seconds: int, memory_bytes: int) -> None:
    """Set this process's resource limits; 0 bytes of memory are no limit."""
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
    """An ordinary Python process's handlers, in place of the driver's deaf ones."""
    for number, handler in _SIGNALS:
        _signal.signal(number, handler)
    _signal.signal(signal.SIGINT, _signal.default_int_handler)


def _be_first_to_die() -> None:
    """Out of memory, the kernel takes this process before the driver.

    The driver is not dumpable, so its child may not write its own /proc files until it is.
    """
    _libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
    file = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    os.write(file, b"1000")
    os.close(file)
