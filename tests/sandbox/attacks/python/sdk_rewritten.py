# tries: rewrites the SDK in the image
# expect: Read-only file system|Permission denied|Operation not permitted
import os

import kiok

os.write(os.open(kiok.__file__, os.O_WRONLY), b"raise RuntimeError('forged SDK')\n")
