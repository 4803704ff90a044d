# tries: exempts itself from the out-of-memory killer, so that other processes die
# expect: Permission denied
import os

os.write(os.open("/proc/self/oom_score_adj", os.O_WRONLY), b"-1000")
