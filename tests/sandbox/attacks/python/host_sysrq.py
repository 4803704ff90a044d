# tries: sends the host a SysRq command, which only the console may send (b would reboot it)
# expect: Read-only file system|Permission denied|No such file
import os

os.write(os.open("/proc/sysrq-trigger", os.O_WRONLY), b"h")
