# tries: hides the real path in a PAX record
# expect: '../tmp/out' is no plain relative path
from tests.sandbox.attacks.tar_parts import member, tar

TAR = tar(member("a", pax_headers={"path": "../tmp/out"}))
