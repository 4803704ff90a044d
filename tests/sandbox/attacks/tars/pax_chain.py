# tries: heaps thousands of PAX headers on each other, which a reader follows by calling itself
# expect: could not be unpacked
from tests.sandbox.attacks.tar_parts import BLOCK, member, tar

ONE = member("a", pax_headers={"path": "b"}).tobuf()
TAR = ONE[: 2 * BLOCK] * 10_000 + tar(member("a"))
FILES = 2_000
