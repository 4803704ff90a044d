# tries: holds two files of one path, of which one was vetted and the other is run
# expect: File exists
# host: 'a' is in the tree twice
from tests.sandbox.attacks.tar_parts import entry, member, tar

TAR = tar(member("a"), member("a"))
FILES = 2
ENTRIES = [entry("a"), entry("a")]
