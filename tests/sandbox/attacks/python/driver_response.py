# tries: writes the end of all results on the descriptor that the driver answers on
# expect: Permission denied
import os

os.write(os.open("/proc/1/fd/62", os.O_WRONLY), b"E\0\0\0\4\0\0\0\0\0\0\0\2")
