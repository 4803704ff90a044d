# tries: binds the driver to one processor
# expect: Operation not permitted
import os

os.sched_setaffinity(1, {min(os.sched_getaffinity(0))})
