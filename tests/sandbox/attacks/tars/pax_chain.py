# tries: chains thousands of PAX headers, which a reader follows by recursion
# expect: could not be unpacked
from tests.sandbox.attacks.tar_parts import BLOCK, member, tar

ONE = member("a", pax_headers={"path": "b"}).tobuf()
TAR = ONE[: 2 * BLOCK] * 10_000 + tar(member("a"))
FILES = 2_000
