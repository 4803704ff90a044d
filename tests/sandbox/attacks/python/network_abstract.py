# tries: opens a socket with an abstract name, outside any file system
# expect: Operation not permitted
import socket

socket.socket(socket.AF_UNIX).bind("\0channel")
