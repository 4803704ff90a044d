# tries: contains folders without end, which do not count as files
# expect: the tar is larger than the tree it should hold|No space left on device
# host: the tree has \d+ files and folders; at most 20000 are allowed
import tarfile

from tests.sandbox.attacks.tar_parts import entry, member, tar

TAR = b"".join(member(f"{number}", tarfile.DIRTYPE).tobuf() for number in range(30_000)) + tar(member("a"))
FILES = 2_000
ENTRIES = [entry(f"{number}/{'d/' * 20}a") for number in range(1_000)]
