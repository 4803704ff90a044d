# tries: has a header that does not match its checksum
# expect: could not be unpacked|holds 0 files
from tests.sandbox.attacks.tar_parts import member, tar

TAR = tar(member("a")).replace(b"a", b"b", 1)
