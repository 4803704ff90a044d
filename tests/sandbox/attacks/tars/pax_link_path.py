# tries: turns a file into a link with a PAX record
# expect: carries PAX records other than its path
from tests.sandbox.attacks.tar_parts import member, tar

TAR = tar(member("a", pax_headers={"linkpath": "/etc/passwd"}))
