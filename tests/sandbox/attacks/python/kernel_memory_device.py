# tries: creates a device file of the host's memory
# expect: Operation not permitted
import os
import stat

os.mknod("/tmp/mem", stat.S_IFCHR | 0o600, os.makedev(1, 1))
