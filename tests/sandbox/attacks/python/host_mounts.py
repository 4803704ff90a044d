# tries: reads paths of the host from its own mounts
# expect: Permission denied|no file of the host
import os

with open("/proc/self/mountinfo") as file:
    words = file.read().split()
paths = [word for word in words if word.startswith("/") and word.count("/") > 1]
print("\n".join(paths))
for mounted in {words[at] for at in range(4, len(words))}:
    if mounted.startswith("/home") or os.path.isdir(f"{mounted}/overlay2"):
        raise SystemExit(f"the host's {mounted}")
raise RuntimeError("no file of the host is mounted")
