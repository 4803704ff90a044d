# tries: removes the permission to read the files next to it through their open descriptors
# expect: Operation not permitted|Permission denied
import os

folder = os.path.dirname(os.path.abspath(__file__))
for name in sorted(os.listdir(folder), reverse=True):
    if name.startswith("innocent"):
        os.fchmod(os.open(f"{folder}/{name}", os.O_RDONLY), 0)
