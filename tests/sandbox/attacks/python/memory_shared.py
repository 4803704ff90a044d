# tries: allocates shared memory, which does not count as its process's data
# expect: ended by signal 9 \(SIGKILL\), usually because it ran out of memory
import mmap

held = []
while True:
    held.append(mmap.mmap(-1, 16 << 20))
    held[-1].write(b"x" * (16 << 20))
