# tries: creates a module next to its siblings that they would import instead of Python's own
# expect: Permission denied
import os

folder = os.path.dirname(os.path.abspath(__file__))
for name in ("json", "shared", "sitecustomize", "kiok"):
    with open(f"{folder}/{name}.py", "w") as file:
        file.write("raise RuntimeError('planted by a sibling')\n")
