# tries: computes a number of a billion digits, in C
# expect: not done within 2 s and was killed|MemoryError
# limit: 2
number = 10 ** (10**9)
