# tries: creates shared memory that outlives its process (System V)
# expect: Operation not permitted
from _kernel import call

call("shmget", 0, 16 << 20, 0o1600)
