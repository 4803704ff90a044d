"""A process that syncs, as seen by the case that asks it to.

The case's own process makes repositories and measures floors; the worker only does what a worker of the
service does, so that its CPU time and its memory are those of syncing.
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
    """One sync. Seconds are wall time, from the call of `sync_repository` to its return, in the worker.

    `cpu_seconds` is of the worker itself, `children_cpu_seconds` of the git processes it waited for; `steps` are
    seconds by step, in order; `queries` and `written_rows` by step as well. `state` is the repository's, after.
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
    """The worker ended, or a sync did not do what the case is about; the message has what it said."""


class Worker:
    """A context manager around `python -m benchmarks.syncing`."""

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
        # The end of its input ends it.
        self._process.communicate()

    def ask(self, what: str, **details: object) -> dict[str, Any]:
        """Have it do something and wait for the answer. Raises WorkerFailed."""
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
        """Configure a repository; its primary key."""
        return int(self.ask("add", name=name, url=url)["pk"])

    def sync(self, pk: int, *, full: bool = False, profile: Path | None = None) -> Measured:
        """Sync now. Raises WorkerFailed unless the repository is in sync then."""
        measured = Measured(**self.ask("sync", pk=pk, full=full, profile=str(profile) if profile else None))
        if measured.state != "in_sync":
            raise WorkerFailed(f"the sync did not end well: {measured.state}: {measured.message}")
        return measured

    def peak_memory_bytes(self) -> int:
        """The most it ever had resident."""
        return int(self.ask("memory")["bytes"])
