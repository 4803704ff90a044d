# tries: replaces itself with another program, which writes into the inherited descriptors
# expect: exit status 5 before it delivered a result|Permission denied
import os

os.execv("/bin/sh", ["sh", "-c", "echo forged >&3 2>/dev/null; exit 5"])
