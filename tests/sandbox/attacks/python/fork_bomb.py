# tries: forks without end, in every new process
# expect: not done within 2 s and was killed
# limit: 2
import os

while True:
    try:
        os.fork()
    except OSError:
        pass
