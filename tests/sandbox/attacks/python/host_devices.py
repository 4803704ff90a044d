# tries: reads information about the host's devices
# expect: Permission denied|No such file|no disk of the host
import os

disks = [name for name in os.listdir("/sys/class/block")]
for name in disks:
    open(f"/dev/{name}", "rb")
raise RuntimeError("no disk of the host")
