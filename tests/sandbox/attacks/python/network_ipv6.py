# tries: connects to the network over IPv6
# expect: unreachable|Operation not permitted|not supported|assign requested address
import socket

raise SystemExit(socket.create_connection(("2001:4860:4860::8888", 53), timeout=1))
