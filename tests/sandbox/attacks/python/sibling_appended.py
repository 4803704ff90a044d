# tries: opens the files beside it for writing by another way, through /proc
# expect: Permission denied|Operation not permitted
import os

folder = "/proc/self/root/src"
for name in sorted(os.listdir(folder), reverse=True):
    if name.startswith("innocent"):
        os.write(os.open(f"{folder}/{name}", os.O_WRONLY | os.O_APPEND), b"\nraise RuntimeError('forged')\n")
