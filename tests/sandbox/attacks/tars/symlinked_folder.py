# tries: writes a file through a link to a folder outside the tree
# expect: 'a' is neither a regular file nor a folder
# host: 'a' is no regular file \(mode 120000\)
import tarfile

from tests.sandbox.attacks.tar_parts import entry, member, tar

TAR = tar(member("a", tarfile.SYMTYPE, linkname="/tmp"), member("a/out"))
FILES = 2
ENTRIES = [entry("a", mode="120000"), entry("a/out")]
