# tries: writes the end-of-results frame to the driver's response descriptor
# expect: Permission denied
import os

os.write(os.open("/proc/1/fd/62", os.O_WRONLY), b"E\0\0\0\4\0\0\0\0\0\0\0\2")
