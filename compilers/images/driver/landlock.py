"""Landlock: a child cannot write outside /tmp, use TCP, or signal processes other than its own.

Every child has the driver's uid, so without this it could write the sources of later files.
Reading stays allowed: files of one commit may read each other. This kernel interface does not cover
the modes and times of files; `modes` does.
https://docs.kernel.org/userspace-api/landlock.html; the numbers are those of linux/landlock.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

# Call numbers are the same on every architecture, as for all calls added since Linux 5.1.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_PATH_BENEATH = 1
# From ABI 7 on, the kernel logs each denial, so that a file could flood the host's log.
_LOG_SAME_EXEC_OFF = 1

_WRITE_FILE, _REFER, _TRUNCATE, _IOCTL_DEV = 1 << 1, 1 << 13, 1 << 14, 1 << 15
# remove_dir, remove_file, make_char, make_dir, make_reg, make_sock, make_fifo, make_block, make_sym
_ALTER_FOLDERS = sum(1 << bit for bit in range(4, 13))
_DEVICES = 1 << 6 | 1 << 9 | 1 << 11  # make_char, make_sock, make_block: never granted
_BIND_AND_CONNECT_TCP = 0b11
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11

_MISSING = frozenset({errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM})

_libc = ctypes.CDLL(None, use_errno=True)


def abi() -> int:
    """Return the version of the kernel's Landlock, from 1; 0 if it is missing, disabled or refused."""
    try:
        return _syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
    except OSError as exc:
        if exc.errno in _MISSING:
            return 0
        raise


def ruleset(version: int, writable: str) -> int:
    """Return a descriptor of the rules for any number of processes. `version` is the result of `abi`.

    Files can be written, created and removed only under the folder `writable`, and /dev/null can be written.
    Raises OSError when the kernel refuses.
    """
    handled = _handled(version)
    attributes = struct.pack(
        "=QQQ",
        handled,
        _BIND_AND_CONNECT_TCP if version >= 4 else 0,
        _ABSTRACT_SOCKETS_AND_SIGNALS if version >= 6 else 0,
    )
    # The structure grew with the interface; a kernel accepts zeros beyond the part it knows.
    made = _syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0))
    _grant(made, writable, handled & ~(_DEVICES | _IOCTL_DEV))
    _grant(made, "/dev/null", handled & (_WRITE_FILE | _TRUNCATE))
    return made


def restrict(version: int, ruleset: int) -> None:
    """Restrict this process and all its children permanently. Needs no_new_privs. Raises OSError."""
    flags = _LOG_SAME_EXEC_OFF if version >= 7 else 0
    _syscall(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(flags))


def _handled(version: int) -> int:
    """Return the rights that are refused unless a rule grants them: all that change a file or folder."""
    handled = _WRITE_FILE | _ALTER_FOLDERS
    for since, right in ((2, _REFER), (3, _TRUNCATE), (5, _IOCTL_DEV)):
        if version >= since:
            handled |= right
    return handled


def _grant(ruleset: int, path: str, rights: int) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = struct.pack("=Qi", rights, place)
        _syscall(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_PATH_BENEATH), rule, ctypes.c_uint32(0))
    finally:
        os.close(place)


def _syscall(number: int, *arguments: object) -> int:
    result: int = _libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"landlock (call {number}): {os.strerror(code)}")
    return result
