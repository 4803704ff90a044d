"""The state of one sync, which each step reads and extends: options in, plan and report out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from compilers.pipeline import Compilation, Share, Work
from gitsync.git.commit_object import NO_FACTS, CommitFacts
from gitsync.models import Repository, SyncRun, Trigger
from gitsync.sync.lease import SyncLease
from gitsync.sync.log import SyncLog
from gitsync.sync.plan import Plan, Recorded
from gitsync.sync.remote import Remote
from gitsync.sync.report import SyncReport

Progress = Callable[[str, str], None]  # called with (step, detail) as a sync goes on
Admit = Callable[
    [Sequence[Share]], str
]  # called before files are compiled; returns why the sync has to wait, or ""

WRITE_SECONDS = 0.5  # between two writes of the progress within a step; a shorter step writes at its end only


def no_progress(step: str, detail: str) -> None:
    """Ignore the progress of a sync."""


def admit_all(_shares: Sequence[Share]) -> str:
    """Let the sync compile whatever it has to."""
    return ""


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """Options of a requested sync.

    `full` compiles unchanged files too. `wait` waits for a running sync of the repository and syncs then, instead of
    leaving the request to it. `is_repeat`: a worker had begun this sync, and died. `admit` decides whether the sync may
    compile now; see `Requeue`.
    """

    trigger: Trigger = Trigger.COMMAND
    requested_by: str = ""
    full: bool = False
    wait: bool = False
    is_repeat: bool = False
    admit: Admit = admit_all

    @property
    def retries_now(self) -> bool:
        """Return whether failed files are compiled before their retry is due: on a person's request, and in a full sync."""
        return self.full or self.trigger in (Trigger.COMMAND, Trigger.ADMIN, Trigger.API)

    @property
    def overrides_back_off(self) -> bool:
        """Return whether the sync runs although workers died in earlier ones: somebody requested it just now."""
        return self.trigger != Trigger.SCHEDULE and not self.is_repeat


@dataclass(frozen=True, slots=True)
class Requeue:
    """The outcome of a sync that has to wait for other long syncs. Nothing was written.

    `full`: the sync is a full one when it runs.
    """

    reason: str
    full: bool = False


@dataclass(slots=True)
class SyncContext:
    """A running sync. Used by one thread, except for `note`, which any thread may call.

    `run` and `lease` are None in a dry run, which writes nothing. The attributes below `options` are set by the steps, in
    this order; `resources` holds what has to be released when the files are compiled.
    """

    repository: Repository
    options: SyncOptions
    progress: Progress = no_progress
    run: SyncRun | None = None
    lease: SyncLease | None = None

    remote: Remote = field(init=False)
    commit: str = ""
    facts: CommitFacts = NO_FACTS  # about `commit`, in the form in which they are stored
    recorded: Sequence[Recorded] = ()
    work: Work = field(init=False)
    compilation: Compilation = field(init=False)
    plan: Plan = field(init=False)
    report: SyncReport = field(init=False)

    resources: ExitStack = field(default_factory=ExitStack)
    timings: dict[str, float] = field(default_factory=dict)  # seconds of each step
    files_done: int = 0
    files_total: int = 0
    sync_log: SyncLog = field(default_factory=SyncLog)
    _step: str = ""
    _since: float = 0.0
    _written: float = 0.0

    def enter(self, step: str) -> None:
        """Begin a step; "" ends the last one. One write stores times, progress and log."""
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
        """Add a line to the sync log."""
        self.sync_log.note(self._step or "sync", text, is_end=is_end)

    def compiled(self, done: int, total: int) -> None:
        """Record the number of compiled files. Written about twice a second."""
        self.files_done, self.files_total = done, total
        self.progress(self._step, f"{done}/{total}")
        if time.monotonic() - self._written >= WRITE_SECONDS:
            self._write()

    def record(self, run: SyncRun) -> None:
        """Set the facts about the commit, and the final times, progress and log of the run; not saved."""
        for name, value in self._commit_fields().items():
            setattr(run, name, value)
        run.timings = self.timings
        run.files_done, run.files_total = self.files_done, self.files_total
        run.log = self.sync_log.text()

    def _commit_fields(self) -> dict[str, object]:
        facts = self.facts
        return {
            "commit_author": facts.author,
            "commit_subject": facts.subject,
            "commit_time": facts.time,
        }

    def _write(self, **fields: str) -> None:
        if self.run:
            SyncRun.objects.filter(pk=self.run.pk).update(
                **fields,
                to_commit=self.commit,
                **self._commit_fields(),
                timings=self.timings,
                files_done=self.files_done,
                files_total=self.files_total,
                log=self.sync_log.text(),
            )
        self._written = time.monotonic()
