# tries: returns an object with two values under one key
# expect: the key 'dags' is duplicated
import os

os.write(3, b'{"dags": [], "dags": [{}], "diagnostics": []}')
os._exit(0)
