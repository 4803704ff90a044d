"""Processes that use the embedded PostgreSQL of a data folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.support import waiting

ROOT = Path(__file__).parents[2]


# A user of the server: prints the server's start time, then stays until its stdin ends.
USER = """
import sys
from pathlib import Path
import psycopg
from kiok.server import embedded
url = embedded.ensure(Path(sys.argv[1]), durable=False)
with psycopg.connect(url) as connection:
    print(connection.execute("SELECT pg_postmaster_start_time()::text").fetchone()[0], flush=True)
sys.stdin.read()
"""


class User:
    """Another process that uses the server of `data_dir`."""

    def __init__(self, data_dir: Path, program: str = USER) -> None:
        environ = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"} | {"PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, str(data_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environ,
            text=True,
        )

    def read_line(self) -> str:
        """Return the next line of its output."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def started(self) -> str:
        """Return the start time of its server."""
        output = self.read_line()
        assert output, "the user ended without reaching the server"
        return output

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def let_go(self) -> None:
        """Ask it to end."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def leave(self) -> None:
        self.let_go()
        assert self.process.wait(600) == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def postmaster(data_dir: Path) -> int | None:
    """The server's pid if it runs."""
    try:
        pid = int((data_dir / "postgres" / "postmaster.pid").read_text().splitlines()[0])
        is_server = b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return pid if is_server and alive(pid) else None


alive = waiting.is_running


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until the condition holds, which an idle machine does within `seconds`."""
    waiting.wait_until(condition, "it happened", seconds=max(seconds, waiting.PATIENCE_SECONDS))
