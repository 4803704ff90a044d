# tries: creates semaphores that outlive its process (System V)
# expect: Operation not permitted
from _kernel import call

call("semget", 0, 100, 0o1600)
