# tries: sets a special mode on a folder
# expect: 'a' has the special mode 1777
import tarfile

from tests.sandbox.attacks.tar_parts import member, tar

TAR = tar(member("a", tarfile.DIRTYPE, mode=0o1777))
