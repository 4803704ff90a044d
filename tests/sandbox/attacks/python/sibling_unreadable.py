# tries: removes every user's permission to read the files next to it
# expect: Operation not permitted|Permission denied
import os

folder = os.path.dirname(os.path.abspath(__file__))
for name in sorted(os.listdir(folder), reverse=True):
    if name.startswith("innocent"):
        os.chmod(f"{folder}/{name}", 0)
