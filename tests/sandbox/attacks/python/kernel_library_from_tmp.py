# tries: loads machine code of its own from /tmp
# expect: failed to map segment|Operation not permitted|Permission denied
import ctypes
import glob
import shutil

library = sorted(glob.glob("/lib/*/libm.so.6") + glob.glob("/usr/lib/*/libm.so.6"))[0]
shutil.copyfile(library, "/tmp/lib.so")
ctypes.CDLL("/tmp/lib.so")
