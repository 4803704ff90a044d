# tries: removes the files next to it and puts its own in their place
# expect: Permission denied
import os

folder = os.path.dirname(os.path.abspath(__file__))
for name in sorted(os.listdir(folder), reverse=True):
    if name.startswith("innocent"):
        os.unlink(f"{folder}/{name}")
        with open(f"{folder}/{name}", "w") as file:
            file.write("raise RuntimeError('forged by its sibling')\n")
