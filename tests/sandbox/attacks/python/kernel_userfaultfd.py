# tries: takes over page faults, the classic lever for the kernel's races
# expect: Operation not permitted
from _kernel import call

call("userfaultfd", 0)
