# tries: delivers JSON that is no object
# expect: must be a JSON object, found a list
import os

os.write(3, b"[1, 2, 3]")
os._exit(0)
