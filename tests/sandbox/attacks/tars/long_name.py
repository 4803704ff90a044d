# tries: has a name longer than the maximum of a file system
# expect: File name too long
# host: is too long: at most 255 bytes in a name and 3000 in all
from tests.sandbox.attacks.tar_parts import entry, member, tar

TAR = tar(member("a" * 256))
ENTRIES = [entry("a" * 256)]
