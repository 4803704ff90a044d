# tries: makes root the owner of a file with a PAX record
# expect: carries PAX records other than its path
from tests.sandbox.attacks.tar_parts import member, tar

TAR = tar(member("a", pax_headers={"uid": "0", "SCHILY.xattr.security.capability": "x"}))
