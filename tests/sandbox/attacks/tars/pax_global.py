# tries: applies a PAX record to every file
# expect: carries PAX records other than its path
from tests.sandbox.attacks.tar_parts import member, tar

TAR = tar(member("a"), pax_headers={"comment": "x"})
