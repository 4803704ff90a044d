# tries: makes an io_uring, whose operations pass by every filter of calls
# expect: Operation not permitted
import ctypes

from _kernel import call

call("io_uring_setup", 8, ctypes.create_string_buffer(120))
