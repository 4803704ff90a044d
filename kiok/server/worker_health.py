"""`python -m kiok.server.worker_health`: a container's health check, which reports whether a worker on this host is alive.

Workers write a heartbeat to the database every few seconds (docs/adr/0020-worker-rows.md). It is read here without
Django, because health checks run all the time: a fifth of a second of CPU time instead of more than one. Exit status 0: a
worker is alive; else 1, and one line says what is wrong.
"""

from __future__ import annotations

import os
import socket
import sys

import psycopg

from kiok.server import keys
from kiok.server.errors import ConfigurationError

CONNECT_SECONDS = 5
ALIVE_SECONDS = 15  # seconds, as in kiok.cluster.heartbeat
# The name of a worker begins with the name of its host (kiok.cluster.process_id).
_ALIVE = """
SELECT count(*) FROM gitsync_worker
WHERE starts_with(name, %s) AND seen_at > now() - %s * interval '1 second'
"""


def problem(url: str | None, host: str) -> str:
    """Return what is wrong; "" if a worker on this host is alive. `url`: as `DATABASE_URL`."""
    if url is None:
        return "DATABASE_URL is not set: this check does not work with the embedded database"
    try:
        with psycopg.connect(url, connect_timeout=CONNECT_SECONDS) as connection:
            alive = connection.execute(_ALIVE, [f"{host[:60]}/", ALIVE_SECONDS]).fetchone()
    except psycopg.Error as exc:
        return f"the database does not answer: {type(exc).__name__}"
    return "" if alive and alive[0] else f"no worker on {host} sent a heartbeat in the last {ALIVE_SECONDS} s"


def main() -> int:
    try:
        wrong = problem(keys.from_environment("DATABASE_URL", os.environ), socket.gethostname())
    except ConfigurationError as exc:
        wrong = str(exc)
    if wrong:
        sys.stderr.write(f"kiok: {wrong}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
