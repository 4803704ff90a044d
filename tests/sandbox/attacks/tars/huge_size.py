# tries: declares a size of 8 EiB
# expect: could not be unpacked|more than the 1 files announced
# host: the tree takes \d+ bytes in the sandbox
from tests.sandbox.attacks.tar_parts import checksummed, entry, member, tar

HEADER = bytearray(tar(member("a")))
HEADER[124:136] = b"\x80\0\0\0" + b"\x7f" + b"\xff" * 7
TAR = checksummed(HEADER)
ENTRIES = [entry("a", size=(1 << 63) - 1)]
