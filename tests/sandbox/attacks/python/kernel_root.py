# tries: becomes root
# expect: Operation not permitted
import os

os.setuid(0)
