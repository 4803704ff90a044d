# tries: connects to the host over the bridge's gateway
# expect: Network is unreachable|Operation not permitted
import socket

raise SystemExit(socket.create_connection(("172.17.0.1", 22), timeout=1))
