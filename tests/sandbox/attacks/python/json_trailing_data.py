# tries: returns JSON with data after it
# expect: Extra data
import os

os.write(3, b'{"dags": [], "diagnostics": []} {"dags": []}')
os._exit(0)
