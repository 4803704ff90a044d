# tries: returns JSON in UTF-16
# expect: is not UTF-8
import os

os.write(3, '{"dags": [], "diagnostics": []}'.encode("utf-16"))
os._exit(0)
