# tries: returns a result one byte at a time, without end
# expect: not done within 2 s and was killed
# limit: 2
import os
import time

while True:
    os.write(3, b"{")
    time.sleep(0.01)
