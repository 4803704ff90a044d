# tries: returns JSON nested a hundred thousand levels deep
# expect: more than 32 levels of nesting
import os

os.write(3, b'{"dags":' + b"[" * 50_000)
os.write(3, b"[" * 50_000)
os._exit(0)
