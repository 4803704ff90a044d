# tries: makes the host run a program of the attacker at the next crash
# expect: Read-only file system|Permission denied
import os

pattern = open("/proc/sys/kernel/core_pattern", "rb").read()
os.write(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY), pattern)
