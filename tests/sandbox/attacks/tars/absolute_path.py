# tries: writes outside the tree with an absolute path
# expect: '/tmp/out' is no plain relative path
# host: '/tmp/out' is no plain relative path
from tests.sandbox.attacks.tar_parts import entry, member, tar

TAR = tar(member("/tmp/out"))
ENTRIES = [entry("/tmp/out")]
