# tries: declares another size in a PAX record than in the header
# expect: carries PAX records other than its path
from tests.sandbox.attacks.tar_parts import member, tar

TAR = tar(member("a", size=512, pax_headers={"size": "0"}))
BYTES = 512
