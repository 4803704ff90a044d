# tries: uses a file as a folder
# expect: could not be unpacked
# host: 'a' is in the tree as a file and as a folder
from tests.sandbox.attacks.tar_parts import entry, member, tar

TAR = tar(member("a"), member("a/b"))
FILES = 2
ENTRIES = [entry("a"), entry("a/b")]
