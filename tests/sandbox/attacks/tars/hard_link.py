# tries: creates a second name for a file of the image
# expect: 'a' is neither a regular file nor a folder
import tarfile

from tests.sandbox.attacks.tar_parts import member, tar

TAR = tar(member("a", tarfile.LNKTYPE, linkname="/etc/passwd"))
