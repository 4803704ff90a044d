# tries: has the host run a program of its own at the next crash
# expect: Read-only file system|Permission denied
import os

pattern = open("/proc/sys/kernel/core_pattern", "rb").read()
os.write(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY), pattern)
