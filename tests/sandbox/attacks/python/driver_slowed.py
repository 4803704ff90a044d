# tries: gives the driver the lowest priority
# expect: Operation not permitted|Permission denied
import os

os.setpriority(os.PRIO_PROCESS, 1, 19)
