# tries: has the kernel spare it when memory runs out, so that others die
# expect: Permission denied
import os

os.write(os.open("/proc/self/oom_score_adj", os.O_WRONLY), b"-1000")
