# tries: reads where there is no memory
# expect: its process was ended by signal 11 \(SIGSEGV\)
import ctypes

ctypes.string_at(0)
