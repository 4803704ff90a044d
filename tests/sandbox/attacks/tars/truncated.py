# tries: is truncated in the middle of a file
# expect: could not be unpacked|is cut short
# host: the tree gave 'a' with 100 bytes where
from tests.sandbox.attacks.tar_parts import entry, member, tar

TAR = tar(member("a", size=4000))[:1000]
BYTES = 4000
ENTRIES = [entry("a", size=4000)]
CONTENTS = {"a": b"x" * 100}
