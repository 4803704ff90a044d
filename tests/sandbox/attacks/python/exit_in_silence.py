# tries: ends its process with the exit status of success, without a result
# expect: its process ended with exit status 0 before it delivered a result
# prints: so far
import os

print("so far")
os._exit(0)
