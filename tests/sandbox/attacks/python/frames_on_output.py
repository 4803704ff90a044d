# tries: writes the frames of its siblings' results, and the end-of-results frame, to standard output and standard error
# expect: exit status 1 before it delivered a result
# prints: outcome
import os
import struct
import zlib


def frame(kind, body):
    head = struct.pack(">cI", kind, len(body))
    return head + struct.pack(">I", zlib.crc32(body, zlib.crc32(head))) + body


meta = b'{"outcome":"ok","detail":"","seconds":0.1,"output":""}'
for index in range(20):
    body = struct.pack(">II", index, len(meta)) + meta + b'{"dags":[],"diagnostics":[]}'
    for descriptor in (1, 2):
        os.write(descriptor, struct.pack(">BxxxI", 1, len(body) + 9) + frame(b"R", body))
os.write(1, frame(b"E", struct.pack(">I", 100)))
os._exit(1)
