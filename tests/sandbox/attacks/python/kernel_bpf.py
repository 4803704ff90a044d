# tries: loads a BPF program into the kernel
# expect: Operation not permitted
import ctypes

from _kernel import call

call("bpf", 0, ctypes.create_string_buffer(120), 120)
