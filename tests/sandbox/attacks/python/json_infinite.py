# tries: returns a number beyond the range of floating point
# expect: the number 1e999 is beyond
import os

os.write(3, b'{"dags": [{"id": "a", "tasks": [], "defaultTimeoutMs": 1e999}]}')
os._exit(0)
