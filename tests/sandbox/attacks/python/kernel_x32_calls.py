# tries: uses the system call numbers of the x32 ABI, which a filter may not cover
# expect: ended by signal|Operation not permitted|Function not implemented
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
AF_UNIX, SOCK_STREAM = 1, 1
if libc.syscall(0x40000000 + 41, AF_UNIX, SOCK_STREAM, 0) == -1:
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
