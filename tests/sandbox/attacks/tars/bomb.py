# tries: contains more bytes than were announced
# expect: the tar is larger than the tree it should hold|more than the 1 files announced
# host: the tree takes \d+ bytes in the sandbox
from tests.sandbox.attacks.tar_parts import entry, member, tar

TAR = tar(member("a", size=8 << 20))
ENTRIES = [entry("a", size=65 << 20)]
