# tries: removes every user's permission to enter the source folder
# expect: Operation not permitted|Permission denied
import os

os.chmod("/src", 0)
