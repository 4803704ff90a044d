# tries: lists the driver's open files
# expect: Permission denied
import os

raise SystemExit(os.listdir("/proc/1/fd"))
