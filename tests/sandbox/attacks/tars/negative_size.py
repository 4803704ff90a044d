# tries: declares a negative size, with which some readers never end
# expect: could not be unpacked|announced
from tests.sandbox.attacks.tar_parts import checksummed, member, tar

HEADER = bytearray(tar(member("a")))
HEADER[124:136] = b"\xff" * 11 + b"\x00"
TAR = checksummed(HEADER)
