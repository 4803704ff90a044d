# tries: aborts its process
# expect: its process was ended by signal 6 \(SIGABRT\)
import os

os.abort()
