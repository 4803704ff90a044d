# tries: sends the driver every signal
# expect: Operation not permitted|the driver is deaf
import os
import signal

for number in sorted(signal.valid_signals()):
    os.kill(1, number)
raise RuntimeError("the driver is deaf")
