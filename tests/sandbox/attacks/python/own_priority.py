# tries: raises its own scheduling priority above all others
# expect: Operation not permitted
import os

os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(99))
