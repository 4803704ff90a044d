# tries: contains two files with one path, of which one was checked and the other would run
# expect: File exists
# host: 'a' is in the tree twice
from tests.sandbox.attacks.tar_parts import entry, member, tar

TAR = tar(member("a"), member("a"))
FILES = 2
ENTRIES = [entry("a"), entry("a")]
