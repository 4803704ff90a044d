# tries: renames the container
# expect: Operation not permitted
import socket

socket.sethostname("forged")
