# tries: creates a child that is root in a user namespace of its own
# expect: Operation not permitted
import ctypes
import os

CLONE_NEWUSER, SIGCHLD = 0x10000000, 17
libc = ctypes.CDLL(None, use_errno=True)
child = libc.syscall(220 if os.uname().machine == "aarch64" else 56, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0)
if child == 0:
    os._exit(0)
if child == -1:
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
