# tries: creates a message queue that outlives its process (POSIX)
# expect: Operation not permitted
from _kernel import call

call("mq_open", b"left", 0o102, 0o600, 0)
