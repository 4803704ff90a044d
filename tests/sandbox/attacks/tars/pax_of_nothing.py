# tries: contains a PAX record of length 0, with which some readers never end
# expect: could not be unpacked|invalid header
from tests.sandbox.attacks.tar_parts import BLOCK, member, tar

TAR = tar(member("a", pax_headers={"path": "bcd"})).replace(b"12 path=bcd\n", b"0 path=bcdx\n")
assert len(TAR) % BLOCK == 0
