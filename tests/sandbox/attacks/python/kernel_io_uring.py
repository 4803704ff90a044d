# tries: creates an io_uring, whose operations bypass every system call filter
# expect: Operation not permitted
import ctypes

from _kernel import call

call("io_uring_setup", 8, ctypes.create_string_buffer(120))
