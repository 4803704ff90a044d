# tries: links to a file outside the tree
# expect: 'a' is neither a regular file nor a folder
# host: 'a' is no regular file \(mode 120000\)
import tarfile

from tests.sandbox.attacks.tar_parts import entry, member, tar

TAR = tar(member("a", tarfile.SYMTYPE, linkname="/proc/1/environ"))
ENTRIES = [entry("a", mode="120000")]
