# tries: ends the interpreter
# expect: SystemExit: 3
import sys

sys.exit(3)
