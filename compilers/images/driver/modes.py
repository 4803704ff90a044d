"""A second seccomp filter, for children only: they cannot change the mode or the times of any file.

The sources belong to the uid of every child, and Landlock does not cover modes: a file could make other
files unreadable. The container's own filter cannot refuse these calls, because the driver needs
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

# By machine (as uname names it): its AUDIT_ARCH, and its numbers of chmod, fchmod, fchmodat, fchmodat2, utime, utimes,
# futimesat and utimensat, as far as it has these calls.
_CALLS = {
    "x86_64": (0xC000003E, (90, 91, 268, 452, 132, 235, 261, 280)),
    "aarch64": (0xC00000B7, (53, 52, 452, 88)),
}


_libc = ctypes.CDLL(None, use_errno=True)


class Filter(ctypes.Structure):
    """`struct sock_fprog`: a program for the kernel."""

    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def filter_of_modes() -> Filter:
    """Return the filter for this machine, for any number of processes. Raises OSError for an unknown machine."""
    machine = os.uname().machine
    if machine not in _CALLS:
        raise OSError(
            errno.ENOSYS,
            f"the sandbox does not know the system calls of {machine}; it supports {sorted(_CALLS)}",
        )
    architecture, calls = _CALLS[machine]
    code = [
        struct.pack("=HBBI", _LOAD, 0, 0, _ARCHITECTURE_AT),
        struct.pack("=HBBI", _EQUAL, 1, 0, architecture),
        struct.pack("=HBBI", _RETURN, 0, 0, _KILL_PROCESS),
        struct.pack("=HBBI", _LOAD, 0, 0, _NUMBER_AT),
        # Each match jumps over the later comparisons and the allowing return.
        *(struct.pack("=HBBI", _EQUAL, len(calls) - at, 0, call) for at, call in enumerate(calls)),
        struct.pack("=HBBI", _RETURN, 0, 0, _ALLOW),
        struct.pack("=HBBI", _RETURN, 0, 0, _ERRNO | errno.EPERM),
    ]
    return Filter(len(code), b"".join(code))


def freeze(program: Filter) -> None:
    """Refuse, with EPERM and permanently, changes of modes and times. Needs no_new_privs. Raises OSError."""
    if _libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, f"prctl(PR_SET_SECCOMP): {os.strerror(number)}")
