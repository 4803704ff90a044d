# tries: opens a socket to the kernel's cryptography, a frequent source of vulnerabilities
# expect: Operation not permitted
import socket

socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)
