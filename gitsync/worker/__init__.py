"""Threads and signals of a worker process: poller, pool maintainer, start-up."""
