# tries: mounts a file system over the sources
# expect: Operation not permitted
from _kernel import call

call("mount", b"none", b"/src", b"tmpfs", 0, 0)
