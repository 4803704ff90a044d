# tries: chains ten thousand long-name headers, which a reader follows by recursion
# expect: could not be unpacked
import tarfile

from tests.sandbox.attacks.tar_parts import member, tar

NAME = member("././@LongLink", tarfile.GNUTYPE_LONGNAME, size=1).tobuf(tarfile.GNU_FORMAT) + b"a".ljust(
    512, b"\0"
)
TAR = NAME * 10_000 + tar(member("a"))
FILES = 2_000
