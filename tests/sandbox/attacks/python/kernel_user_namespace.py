# tries: becomes root in a user namespace of its own
# expect: Operation not permitted
from _kernel import call

CLONE_NEWUSER = 0x10000000
call("unshare", CLONE_NEWUSER)
