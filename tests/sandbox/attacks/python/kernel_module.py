# tries: loads a kernel module
# expect: Operation not permitted
from _kernel import call

call("init_module", b"", 0, b"")
