"""The service's own web server on the test's database."""

from __future__ import annotations

import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from kiok.server.service import web_command
from tests.support.cluster import ROOT, eventually, stop
from tests.support.processes import environment


@contextmanager
def web_server(
    port: int, log_file: Path | None = None, *, processes: int = 1, **variables: str
) -> Iterator[str]:
    """Start the web server with these environment variables; yield its address."""
    with log_file.open("wb") if log_file else nullcontext() as log:
        process = subprocess.Popen(
            web_command(f"127.0.0.1:{port}", processes),
            env=environment(**variables),
            cwd=ROOT,
            start_new_session=True,
            stderr=log,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        eventually(lambda: _answers(f"{address}/healthz"), 30, "the web server")
        yield address
    finally:
        stop(process)


def _answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=60) as answer:
        return bool(answer.status == 200)
    return False
