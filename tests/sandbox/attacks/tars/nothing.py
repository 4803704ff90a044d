# tries: holds nothing at all
# expect: could not be unpacked|holds 0 files
TAR = b""
