# tries: accesses files through the driver's root folder
# expect: Permission denied
import os

raise SystemExit(os.listdir("/proc/1/root"))
