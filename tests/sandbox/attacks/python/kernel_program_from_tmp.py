# tries: runs a program of its own from /tmp
# expect: Permission denied
import os

with open(os.open("/tmp/run", os.O_CREAT | os.O_WRONLY, 0o700), "w") as file:
    file.write("#!/bin/sh\necho ran\n")
os.execv("/tmp/run", ["run"])
