# tries: allocates memory with files outside any file system (memfd)
# expect: Operation not permitted
import os

held = []
while True:
    held.append(os.memfd_create("bomb"))
    os.write(held[-1], b"x" * (16 << 20))
