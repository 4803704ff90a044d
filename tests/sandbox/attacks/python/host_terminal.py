# tries: types into the terminal of the user who started the service
# expect: No such device or address|Permission denied|Inappropriate ioctl|Operation not permitted|Input/output
import fcntl
import os

TIOCSTI = 0x5412
for path in ("/dev/tty", "/dev/console", "/dev/pts/0"):
    try:
        descriptor = os.open(path, os.O_RDWR)
        break
    except FileNotFoundError:
        continue
else:
    descriptor = 0
fcntl.ioctl(descriptor, TIOCSTI, b"x")
