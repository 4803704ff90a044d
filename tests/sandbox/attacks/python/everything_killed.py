# tries: kills every process that it may kill
# expect: No such process|Operation not permitted
import os
import signal

os.kill(-1, signal.SIGKILL)
