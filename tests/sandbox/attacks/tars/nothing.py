# tries: is empty
# expect: could not be unpacked|holds 0 files
TAR = b""
