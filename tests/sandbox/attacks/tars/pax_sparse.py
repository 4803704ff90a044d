# tries: names a file in a record for sparse files
# expect: carries PAX records other than its path
from tests.sandbox.attacks.tar_parts import member, tar

TAR = tar(member("a", pax_headers={"GNU.sparse.name": "../tmp/out"}))
