# tries: leaves the tree in the middle of a path
# expect: 'a/../../tmp/out' is no plain relative path
# host: 'a/../../tmp/out' is no plain relative path
from tests.sandbox.attacks.tar_parts import entry, member, tar

TAR = tar(member("a/../../tmp/out"))
ENTRIES = [entry("a/../../tmp/out")]
