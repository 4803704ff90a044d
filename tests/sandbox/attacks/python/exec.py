# tries: becomes another program, which writes into the descriptors it inherits
# expect: exit status 5 before it delivered a result|Permission denied
import os

os.execv("/bin/sh", ["sh", "-c", "echo forged >&3 2>/dev/null; exit 5"])
