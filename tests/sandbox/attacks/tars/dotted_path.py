# tries: names a file differently from the list of sources
# expect: './a' is no plain relative path
# host: './a' is no plain relative path
from tests.sandbox.attacks.tar_parts import entry, member, tar

TAR = tar(member("./a"))
ENTRIES = [entry("./a")]
