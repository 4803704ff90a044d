# tries: returns an integer of 5 000 digits
# expect: \(5000 characters\) is beyond 64 bits
import os

os.write(3, b'{"dags": [{"id": "a", "tasks": [], "defaultTimeoutMs": ' + b"9" * 5_000 + b"}]}")
os._exit(0)
