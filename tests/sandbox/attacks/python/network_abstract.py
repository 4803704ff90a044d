# tries: opens a socket of a name that is in no file system
# expect: Operation not permitted
import socket

socket.socket(socket.AF_UNIX).bind("\0channel")
