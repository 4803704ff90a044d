# tries: truncates the files next to it
# expect: Permission denied
import os

folder = os.path.dirname(os.path.abspath(__file__))
for name in sorted(os.listdir(folder), reverse=True):
    if name.startswith("innocent"):
        os.truncate(f"{folder}/{name}", 0)
