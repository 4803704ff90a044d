# tries: has a name that is not valid text
# expect: holds 0 files|could not be unpacked|announced
# host: is not UTF-8; rename the file
from tests.sandbox.attacks.tar_parts import entry, member, tar

TAR = tar(member("a"), member("b")).replace(b"a", b"\xff", 1)
ENTRIES = [entry("\udcff")]
