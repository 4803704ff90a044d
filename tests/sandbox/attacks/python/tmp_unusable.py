# tries: takes the right to write to the temporary folder away from everybody
# expect: Operation not permitted|Permission denied
import os

os.chmod("/tmp", 0)
