# tries: joins a key ring of another session
# expect: Operation not permitted
from _kernel import call

call("keyctl", 1, b"session", 0, 0, 0)
