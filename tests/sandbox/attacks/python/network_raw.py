# tries: opens a raw socket
# expect: Operation not permitted
import socket

socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
