# tries: writes to the image's own file system
# expect: Read-only file system|Permission denied
open("/var/tmp/big", "wb").write(b"x" * (1 << 20))
