# tries: contains a device of the host's memory
# expect: 'a' is neither a regular file nor a folder
import tarfile

from tests.sandbox.attacks.tar_parts import member, tar

TAR = tar(member("a", tarfile.CHRTYPE, devmajor=1, devminor=1))
