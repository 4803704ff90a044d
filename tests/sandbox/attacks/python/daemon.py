# tries: leaves a daemon that continues to write results after its parent has died
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
