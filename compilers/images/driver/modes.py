"""A second seccomp filter, for children only: they change no file's mode and no file's times.

The sources belong to the uid of every child, and Landlock does not cover modes: a file could make its
siblings unreadable. The container's own filter cannot refuse these calls, since the driver needs
them to empty /tmp. https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_ALLOW, _ERRNO, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4  # in struct seccomp_data

# Of chmod, fchmod, fchmodat, fchmodat2, utime, utimes, futimesat, utimensat; by what uname calls the
# machine: its AUDIT_ARCH and the numbers of those calls that it has.
_CALLS = {
    "x86_64": (0xC000003E, (90, 91, 268, 452, 132, 235, 261, 280)),
    "aarch64": (0xC00000B7, (53, 52, 452, 88)),
}


_libc = ctypes.CDLL(None, use_errno=True)


class Filter(ctypes.Structure):
    """`struct sock_fprog`: a program for the kernel."""

    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def filter_of_modes() -> Filter:
    """The filter for this machine, made once for any number of processes. Raises OSError for an unknown one."""
    machine = os.uname().machine
    if machine not in _CALLS:
        raise OSError(
            errno.ENOSYS, f"the sandbox knows no system calls of {machine}; it runs on {sorted(_CALLS)}"
        )
    architecture, calls = _CALLS[machine]
    code = [
        struct.pack("=HBBI", _LOAD, 0, 0, _ARCHITECTURE_AT),
        struct.pack("=HBBI", _EQUAL, 1, 0, architecture),
        struct.pack("=HBBI", _RETURN, 0, 0, _KILL_PROCESS),
        struct.pack("=HBBI", _LOAD, 0, 0, _NUMBER_AT),
        # Each jumps over those after it, and over the leave to go on.
        *(struct.pack("=HBBI", _EQUAL, len(calls) - at, 0, call) for at, call in enumerate(calls)),
        struct.pack("=HBBI", _RETURN, 0, 0, _ALLOW),
        struct.pack("=HBBI", _RETURN, 0, 0, _ERRNO | errno.EPERM),
    ]
    return Filter(len(code), b"".join(code))


def freeze(program: Filter) -> None:
    """Refuse, with EPERM and for good, what changes modes and times. Needs no_new_privs. Raises OSError."""
    if _libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, f"prctl(PR_SET_SECCOMP): {os.strerror(number)}")
