# tries: resolves a host name
# expect: name resolution|Name or service not known|Operation not permitted
import socket

raise SystemExit(socket.getaddrinfo("example.com", 443))
