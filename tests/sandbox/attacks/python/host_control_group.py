# tries: raises its own memory limit
# expect: Read-only file system|Permission denied|No such file
import glob
import os

for path in [*glob.glob("/sys/fs/cgroup/memory/memory.limit_in_bytes"), "/sys/fs/cgroup/memory.max"]:
    os.write(os.open(path, os.O_WRONLY), b"-1")
