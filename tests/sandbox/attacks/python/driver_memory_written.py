# tries: writes to the driver's memory with process_vm_writev
# expect: Operation not permitted
import ctypes

from _kernel import call

buffer = ctypes.create_string_buffer(8)
vector = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 8)
call("process_vm_writev", 1, vector, 1, vector, 1, 0)
