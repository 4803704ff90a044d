# tries: allocates memory without end in many processes, each below the limit of one
# expect: the kernel ended them: \[9, 9, 9\]|ended by signal 9 \(SIGKILL\), usually because it ran out of memory
import os
import time

for _ in range(5):
    if os.fork() == 0:
        held = bytearray(b"x") * (100 << 20)
        time.sleep(3600)
raise RuntimeError(f"the kernel ended them: {[os.wait()[1] for _ in range(3)]}")
