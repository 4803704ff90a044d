# tries: raises Python's recursion limit and overflows the C stack
# expect: its process was ended by signal 11 \(SIGSEGV\)|RecursionError: maximum recursion depth exceeded
import sys

sys.setrecursionlimit(1 << 30)
nest = []
for _ in range(200_000):
    nest = [nest]
repr(nest)
