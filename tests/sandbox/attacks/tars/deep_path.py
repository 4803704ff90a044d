# tries: nests folders deeper than the maximum length of a path
# expect: could not be unpacked
# host: is too long: at most 255 bytes in a name and 3000 in all
from tests.sandbox.attacks.tar_parts import entry, member, tar

TAR = tar(member("d/" * 2_100 + "a"))
ENTRIES = [entry("d/" * 2_100 + "a")]
