# tries: unpacks a few kilobytes into gigabytes
# expect: MemoryError
import zlib

bomb = zlib.compress(bytes(64 << 20), 9)
held = []
while True:
    held.append(zlib.decompress(bomb))
