# tries: postpones every alarm and timer that may be set on it, and sleeps
# expect: not done within 2 s and was killed
# limit: 2
import signal
import time

signal.alarm(0)
for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
    signal.setitimer(timer, 0)
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
while True:
    time.sleep(3600)
