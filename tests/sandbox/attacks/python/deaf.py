# tries: ignores every signal that can be ignored, and sleeps
# expect: not done within 2 s and was killed
# prints: deaf
# limit: 2
import signal
import time

for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
print("deaf")
time.sleep(3600)
