# tries: contains a set-user-id program
# expect: 'a' has the special mode 4755
from tests.sandbox.attacks.tar_parts import member, tar

TAR = tar(member("a", mode=0o4755))
