# tries: names a submodule as a file to unpack
# expect: 'a' is neither a regular file nor a folder
# host: 'a' is no regular file \(mode 160000\)
from tests.sandbox.attacks.tar_parts import entry, member, tar

TAR = tar(member("a", b"Z"))
ENTRIES = [entry("a", mode="160000")]
