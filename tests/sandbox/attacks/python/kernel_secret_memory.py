# tries: allocates memory that the kernel cannot count or swap
# expect: Operation not permitted|Function not implemented
from _kernel import call

call("memfd_secret", 0)
