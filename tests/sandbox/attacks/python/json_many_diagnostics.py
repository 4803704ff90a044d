# tries: returns tens of thousands of problems
# expect: \.\.\. and \d+ more
import os

entries = b",".join([b'{"message":"m"}'] * 30_000)
for start in range(0, len(entries), 1 << 15):
    piece = entries[start : start + (1 << 15)]
    os.write(3, b'{"dags":[],"diagnostics":[' + piece if not start else piece)
os.write(3, b"]}")
os._exit(0)
