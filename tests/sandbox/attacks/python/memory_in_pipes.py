# tries: uses kernel memory by filling pipes without a reader
# expect: Too many open files|Cannot allocate memory|Operation not permitted
import fcntl
import os

while True:
    _, write = os.pipe()
    os.set_blocking(write, False)
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 1 << 20)
    os.write(write, b"x" * (1 << 20))
