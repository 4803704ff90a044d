# tries: is compressed, so that it unpacks to a thousand times its size
# expect: could not be unpacked
import gzip

TAR = gzip.compress(bytes(8 << 20))
