# tries: creates a message queue that outlives its process (System V)
# expect: Operation not permitted
from _kernel import call

call("msgget", 0, 0o1600)
