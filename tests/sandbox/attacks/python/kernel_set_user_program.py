# tries: creates a set-user-id program and runs it from /tmp
# expect: Permission denied|Operation not permitted
import os
import shutil

shutil.copyfile("/bin/sh", "/tmp/sh")
os.chmod("/tmp/sh", 0o6755)
os.execv("/tmp/sh", ["sh", "-c", "id"])
