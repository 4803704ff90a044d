# tries: names a file with an empty path component
# expect: 'a//b' is no plain relative path
# host: 'a//b' is no plain relative path
from tests.sandbox.attacks.tar_parts import entry, member, tar

TAR = tar(member("a//b"))
ENTRIES = [entry("a//b")]
