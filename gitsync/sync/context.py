"""Where a sync stands: its step, its progress, its log; and how much of that is in the store already."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from compilers.pipeline import Share
from gitsync.models import SyncRun
from gitsync.sync.log import SyncLog

Progress = Callable[[str, str], None]
"""Told (step, detail) as a sync goes on."""

Admit = Callable[[Sequence[Share]], None]
"""Told what is to be compiled before it is; may raise Deferred."""


def admit_all(shares: Sequence[Share]) -> None:
    """Whatever it is."""


WRITE_SECONDS = 0.5
"""Between two writes of the progress within a step. What takes less is not written but with the step."""


@dataclass(slots=True)
class SyncContext:
    """A sync under way, used by its own thread (the journal: by any).

    The step under way, the commit reached, the seconds of each step, the files compiled so far of those that have
    to be. `run` is None for a dry run, of which nothing is written.
    """

    run: SyncRun | None
    progress: Progress
    admit: Admit = admit_all
    commit: str = ""
    timings: dict[str, float] = field(default_factory=dict)
    files_done: int = 0
    files_total: int = 0
    sync_log: SyncLog = field(default_factory=SyncLog)
    _step: str = ""
    _since: float = 0.0
    _written: float = 0.0

    def enter(self, step: str) -> None:
        """Begin a step, "" to end the last one. One write, which carries times, progress and log."""
        now = time.monotonic()
        if self._step:
            self.timings[self._step] = round(now - self._since, 4)
        self._step, self._since = step, now
        if step:
            self.progress(step, "")
            self._write(step=step)
            if self.run:
                self.run.step = step

    def note(self, text: str, *, is_end: bool = False) -> None:
        """A line in the log. From any thread."""
        self.sync_log.note(self._step or "sync", text, is_end=is_end)

    def compiled(self, done: int, total: int) -> None:
        """So many files are compiled. Written about twice a second."""
        self.files_done, self.files_total = done, total
        self.progress(self._step, f"{done}/{total}")
        if time.monotonic() - self._written >= WRITE_SECONDS:
            self._write()

    def record(self, run: SyncRun) -> None:
        """Set what the run is to say of all this in the end; not saved."""
        run.timings = self.timings
        run.files_done, run.files_total = self.files_done, self.files_total
        run.log = self.sync_log.text()

    def _write(self, **fields: str) -> None:
        if self.run:
            SyncRun.objects.filter(pk=self.run.pk).update(
                **fields,
                to_commit=self.commit,
                timings=self.timings,
                files_done=self.files_done,
                files_total=self.files_total,
                log=self.sync_log.text(),
            )
        self._written = time.monotonic()
