# tries: rewrites the files next to it before they are compiled
# expect: Permission denied
import os

folder = os.path.dirname(os.path.abspath(__file__))
for name in sorted(os.listdir(folder), reverse=True):
    path = f"{folder}/{name}"
    if path != os.path.abspath(__file__) and os.path.isfile(path):
        try:
            os.chmod(path, 0o644)
        except PermissionError:
            pass
        with open(path, "w") as file:
            file.write("raise RuntimeError('forged by its sibling')\n")
