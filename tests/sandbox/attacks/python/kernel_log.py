# tries: reads the kernel's log
# expect: Operation not permitted
import ctypes

from _kernel import call

call("syslog", 3, ctypes.create_string_buffer(4096), 4096)
