# tries: removes every user's permission to write to the temporary folder
# expect: Operation not permitted|Permission denied
import os

os.chmod("/tmp", 0)
