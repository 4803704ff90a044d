"""The client of a worker process.

The process of the case creates repositories and measures floors. The worker process only does what a worker of the service
does, so that its CPU time and memory are those of syncing.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any


@dataclass(frozen=True, slots=True)
class Measured:
    """The measurements of one sync. `seconds` is the wall time of the call of `sync_repository` in the worker.

    `cpu_seconds` is that of the worker, `children_cpu_seconds` that of its git processes. `steps` are the seconds of each
    step in order, `queries` and `written_rows` the numbers of each step. `state` is the repository's state after the sync.
    """

    seconds: float
    cpu_seconds: float
    children_cpu_seconds: float
    state: str
    message: str
    created: int
    updated: int
    pruned: int
    unchanged: int
    steps: Mapping[str, float] = field(default_factory=dict)
    queries: Mapping[str, int] = field(default_factory=dict)
    written_rows: Mapping[str, int] = field(default_factory=dict)


class WorkerFailed(Exception):
    """The worker ended, or a sync failed. The message has the worker's output."""


class Worker:
    """A worker process, `python -m benchmarks.syncing`, as a context manager."""

    def __init__(self, environment: Mapping[str, str], root: Path, database: str) -> None:
        self.environment = dict(environment)
        self.database = database
        self._log = Path(environment["KIOK_BASE_DATA_DIR"]).with_suffix(".log")
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.syncing"],
                cwd=root,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # The process exits at the end of its input.
        self._process.communicate()

    def ask(self, what: str, **details: object) -> dict[str, Any]:
        """Send a command and wait for the answer. Raises WorkerFailed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": what, **details}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            raise WorkerFailed(f"the worker ended during {what!r}:\n{self._log.read_text()[-4000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def add(self, name: str, url: str) -> int:
        """Add a repository and return its primary key."""
        return int(self.ask("add", name=name, url=url)["pk"])

    def sync(self, pk: int, *, full: bool = False, profile: Path | None = None) -> Measured:
        """Sync a repository. Raises WorkerFailed unless it is in sync afterwards."""
        measured = Measured(**self.ask("sync", pk=pk, full=full, profile=str(profile) if profile else None))
        if measured.state != "in_sync":
            raise WorkerFailed(f"the sync did not succeed: {measured.state}: {measured.message}")
        return measured

    def peak_memory_bytes(self) -> int:
        """Return the peak of its resident memory."""
        return int(self.ask("memory")["bytes"])
