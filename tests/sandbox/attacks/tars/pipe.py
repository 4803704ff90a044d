# tries: contains a pipe, which blocks a process that opens it for ever
# expect: 'a' is neither a regular file nor a folder
import tarfile

from tests.sandbox.attacks.tar_parts import member, tar

TAR = tar(member("a", tarfile.FIFOTYPE))
