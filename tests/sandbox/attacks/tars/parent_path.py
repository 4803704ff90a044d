# tries: writes outside the tree with a path through the parent folder
# expect: '../tmp/out' is no plain relative path
# host: '../tmp/out' is no plain relative path
from tests.sandbox.attacks.tar_parts import entry, member, tar

TAR = tar(member("../tmp/out"))
ENTRIES = [entry("../tmp/out")]
