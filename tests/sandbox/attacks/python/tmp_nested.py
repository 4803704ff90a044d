# tries: nests folders as deep as possible and removes the permission to list them
# expect: No space left on device
import os

os.chdir("/tmp")
try:
    while True:
        os.mkdir("d", 0o300)
        os.chdir("d")
finally:
    os.mkdir("/tmp/closed", 0o000)
