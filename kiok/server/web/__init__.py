"""The web server: gunicorn manages the processes, waitress serves requests in each (`worker`).

Threads of gunicorn's own workers read requests from the socket, so each client that stops in the middle of a request
occupies a thread. waitress receives requests in its main loop and passes them to a thread when they are complete. See
docs/adr/0031-web-server.md.
"""
