# tries: connects to the Docker engine
# expect: Operation not permitted
import socket

socket.socket(socket.AF_UNIX).connect("/var/run/docker.sock")
