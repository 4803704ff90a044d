# tries: returns JSON with a byte order mark
# expect: byte order mark
import os

os.write(3, b'\xef\xbb\xbf{"dags": [], "diagnostics": []}')
os._exit(0)
