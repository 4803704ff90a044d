# tries: contains more files than were announced
# expect: more than the 1 files announced
# host: the tree has \d+ files and folders; at most 20000 are allowed
from tests.sandbox.attacks.tar_parts import entry, member, tar

TAR = tar(*[member(f"{number}") for number in range(6)])
ENTRIES = [entry(f"{number}") for number in range(20_001)]
