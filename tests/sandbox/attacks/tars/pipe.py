# tries: holds a pipe, at which whoever opens it waits for ever
# expect: 'a' is neither a regular file nor a folder
import tarfile

from tests.sandbox.attacks.tar_parts import member, tar

TAR = tar(member("a", tarfile.FIFOTYPE))
