# tries: nests folders as deep as it can and takes the right to look into them away
# expect: No space left on device
import os

os.chdir("/tmp")
try:
    while True:
        os.mkdir("d", 0o300)
        os.chdir("d")
finally:
    os.mkdir("/tmp/closed", 0o000)
