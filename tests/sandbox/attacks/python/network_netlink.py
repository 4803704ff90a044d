# tries: queries the kernel for its network interfaces
# expect: Operation not permitted
import socket

socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE).bind((0, 0))
