# tries: fills shared memory and unmaps it, so that the driver is the largest process when memory runs out
# expect: Permission denied.*oom_score_adj|ended by signal 9 \(SIGKILL\), usually because it ran out of memory
import mmap
import os

os.write(os.open("/proc/self/oom_score_adj", os.O_WRONLY), b"0")
held = []
while True:
    held.append(mmap.mmap(-1, 16 << 20))
    held[-1].write(b"x" * (16 << 20))
    held[-1].madvise(mmap.MADV_DONTNEED)
