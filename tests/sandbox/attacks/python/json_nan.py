# tries: returns NaN
# expect: NaN is not a JSON number
import os

os.write(3, b'{"dags": [{"id": "a", "tasks": [], "defaultTimeoutMs": NaN}]}')
os._exit(0)
