# tries: sets the host's clock
# expect: Operation not permitted
import time

time.clock_settime(time.CLOCK_REALTIME, time.time())
