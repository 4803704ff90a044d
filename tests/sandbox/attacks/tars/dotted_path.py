# tries: names a file in another way than the list of sources does
# expect: './a' is no plain relative path
# host: './a' is no plain relative path
from tests.sandbox.attacks.tar_parts import entry, member, tar

TAR = tar(member("./a"))
ENTRIES = [entry("./a")]
