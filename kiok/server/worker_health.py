"""`python -m kiok.server.worker_health`: whether a worker on this host is alive, for a container's health check.

A worker tells the store every few seconds that it is there (docs/adr/0020-worker-rows.md). Asked here without Django,
since a health check runs for ever: a fifth of a second of a processor instead of one and more. Status 0: one is; else 1,
and one line says what is wrong.
"""

from __future__ import annotations

import os
import socket
import sys

import psycopg

from kiok.server import keys
from kiok.server.errors import ConfigurationError

CONNECT_SECONDS = 5
ALIVE_SECONDS = 15  # kiok.cluster.heartbeat
# A worker's name begins with its host's (kiok.cluster.process_id).
_ALIVE = """
SELECT count(*) FROM gitsync_worker
WHERE starts_with(name, %s) AND seen_at > now() - %s * interval '1 second'
"""


def problem(url: str | None, host: str) -> str:
    """What is wrong, "" if a worker on this host is alive. `url`: as `DATABASE_URL`."""
    if url is None:
        return "DATABASE_URL is not set: with the embedded database nobody else can look"
    try:
        with psycopg.connect(url, connect_timeout=CONNECT_SECONDS) as connection:
            alive = connection.execute(_ALIVE, [f"{host[:60]}/", ALIVE_SECONDS]).fetchone()
    except psycopg.Error as exc:
        return f"the database does not answer: {type(exc).__name__}"
    return "" if alive and alive[0] else f"no worker on {host} was alive in the last {ALIVE_SECONDS} s"


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
