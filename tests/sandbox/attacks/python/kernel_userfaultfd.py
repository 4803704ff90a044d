# tries: handles page faults itself, a common technique to exploit race conditions in the kernel
# expect: Operation not permitted
from _kernel import call

call("userfaultfd", 0)
