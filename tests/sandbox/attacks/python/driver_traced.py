# tries: traces the driver
# expect: Operation not permitted
from _kernel import call

PTRACE_SEIZE = 0x4206
call("ptrace", PTRACE_SEIZE, 1, 0, 0)
