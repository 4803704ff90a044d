# tries: measures kernel activity, a way to read secrets
# expect: Operation not permitted|Permission denied
import ctypes

from _kernel import call

call("perf_event_open", ctypes.create_string_buffer(128), 0, -1, -1, 0)
