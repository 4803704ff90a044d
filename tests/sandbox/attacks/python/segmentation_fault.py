# tries: reads from an address without memory
# expect: its process was ended by signal 11 \(SIGSEGV\)
import ctypes

ctypes.string_at(0)
