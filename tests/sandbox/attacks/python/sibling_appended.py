# tries: opens the files next to it for writing through /proc
# expect: Permission denied|Operation not permitted
import os

folder = "/proc/self/root/src"
for name in sorted(os.listdir(folder), reverse=True):
    if name.startswith("innocent"):
        os.write(os.open(f"{folder}/{name}", os.O_WRONLY | os.O_APPEND), b"\nraise RuntimeError('forged')\n")
