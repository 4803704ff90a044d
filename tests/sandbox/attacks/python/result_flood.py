# tries: returns a result without end
# expect: its compiled form passes the limit of 1048576 bytes
import os

while True:
    os.write(3, b"x" * 60_000)
