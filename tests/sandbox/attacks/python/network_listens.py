# tries: listens on the loopback interface, to communicate with a process of another file
# expect: Operation not permitted
import socket

socket.create_server(("127.0.0.1", 0))
