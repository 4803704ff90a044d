# tries: prints without end
# expect: not done within 2 s and was killed
# prints: flood
# limit: 2
import os

while True:
    os.write(1, b"flood" * 10_000)
