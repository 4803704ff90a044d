# tries: stops its own process, so that it never ends
# expect: not done within 2 s and was killed
# limit: 2
import os
import signal

os.kill(os.getpid(), signal.SIGSTOP)
