"""The web server: gunicorn keeps the processes, waitress serves in each (`worker`).

gunicorn's own threads read requests from the socket, so each client that stops in the middle of one occupies a thread.
waitress receives requests in its main loop and hands them to a thread when they are complete. See
docs/adr/0031-web-server.md.
"""
