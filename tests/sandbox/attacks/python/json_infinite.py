# tries: delivers a number beyond what floating point holds
# expect: the number 1e999 is beyond
import os

os.write(3, b'{"dags": [{"id": "a", "tasks": [], "defaultTimeoutMs": 1e999}]}')
os._exit(0)
