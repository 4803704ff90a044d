# tries: contains fewer files than were announced
# expect: the tar holds 1 files of 0 bytes, announced: 2 of 0
from tests.sandbox.attacks.tar_parts import member, tar

TAR = tar(member("a"))
FILES = 2
