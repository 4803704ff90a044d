# tries: leaves a daemon that goes on writing results after its parent's death
# expect: exit status 4 before it delivered a result|not acceptable JSON
import os
import time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            try:
                os.write(3, b"late")
            except OSError:
                pass
            time.sleep(0.01)
    os._exit(0)
os.wait()
os._exit(4)
