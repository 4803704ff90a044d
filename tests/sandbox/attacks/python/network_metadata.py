# tries: requests credentials from a cloud's metadata service
# expect: Network is unreachable|Operation not permitted
import socket

raise SystemExit(socket.create_connection(("169.254.169.254", 80), timeout=1))
