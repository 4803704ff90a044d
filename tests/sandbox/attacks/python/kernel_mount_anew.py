# tries: mounts a file system with the newer system calls
# expect: Operation not permitted|Function not implemented
from _kernel import call

call("fsopen", b"tmpfs", 0)
