# tries: copies the driver's response descriptor
# expect: Operation not permitted|Permission denied
import os

from _kernel import call

call("pidfd_getfd", os.pidfd_open(1), 62, 0)
