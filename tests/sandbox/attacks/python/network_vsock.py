# tries: opens a socket to the hypervisor
# expect: Operation not permitted
import socket

socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
