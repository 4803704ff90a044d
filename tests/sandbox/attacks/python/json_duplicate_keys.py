# tries: delivers an object that says two things under one key
# expect: the key 'dags' is duplicated
import os

os.write(3, b'{"dags": [], "dags": [{}], "diagnostics": []}')
os._exit(0)
