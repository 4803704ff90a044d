# tries: opens a file of the host by its handle, like the container escape Shocker
# expect: Operation not permitted
import ctypes

from _kernel import call

call("open_by_handle_at", 3, ctypes.create_string_buffer(b"\x08\0\0\0\1\0\0\0\2\0\0\0\0\0\0\0"), 0)
