# tries: is random bytes
# expect: could not be unpacked
import random

TAR = random.Random(7).randbytes(8_000)
