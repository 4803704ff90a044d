# tries: writes a file larger than the limit
# expect: File too large
import os

os.truncate(os.open("/tmp/sparse", os.O_CREAT | os.O_WRONLY), 65 << 20)
