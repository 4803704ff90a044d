# tries: writes random bytes to the result descriptor
# expect: what the compiler of this file delivered is no valid result
import os
import random

os.write(3, random.Random(7).randbytes(50_000))
os._exit(0)
