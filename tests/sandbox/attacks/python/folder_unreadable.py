# tries: takes the right to enter the sources' folder away from everybody
# expect: Operation not permitted|Permission denied
import os

os.chmod("/src", 0)
