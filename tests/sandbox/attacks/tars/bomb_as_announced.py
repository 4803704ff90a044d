# tries: contains more than the tree may take, and announces it
# expect: No space left on device
# host: the tree takes \d+ bytes in the sandbox
from tests.sandbox.attacks.tar_parts import entry, member, tar

TAR = tar(member("a", size=40 << 20), member("b", size=40 << 20))
FILES = 2
BYTES = 80 << 20
ENTRIES = [entry("a", size=40 << 20), entry("b", size=40 << 20)]
