# tries: uses a folder as a file
# expect: could not be unpacked
# host: 'a' is in the tree as a file and as a folder
from tests.sandbox.attacks.tar_parts import entry, member, tar

TAR = tar(member("a/b"), member("a"))
FILES = 2
ENTRIES = [entry("a/b"), entry("a")]
