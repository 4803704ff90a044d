"""A soak: start the service, push and make faults for the given time, compare the store, and check the final state."""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import Error, connection
from django.db.models import Count

from gitsync import tasks
from gitsync.actions import pause, resume
from gitsync.models import Repository, SyncRun, Trigger
from gitsync.sync.backoff import poll_now
from gitsync.sync.lease import is_held
from gitsync.sync.remote import mirror_of
from gitsync.worker import sandbox
from soak.authors import Author, Push
from soak.faults import Faults
from soak.figures import report
from soak.plan import Plan
from soak.service import Service
from soak.vitals import Vitals
from tests.support.reference.reading import read_stores
from tests.support.reference.remote import Remote

TICK_SECONDS = 0.05
OBSERVE_SECONDS = 0.3
OBSERVED_AT_ONCE = 40
VITALS_SECONDS = 2.0
SAY_SECONDS = 10.0
MAX_PENDING = 4  # pushes of a repository not yet observed as synced; more would make too many possible states
PYTHON_SHARE = 8  # one repository in this many has a Python file, which is compiled in a container
# Time for the final state, in addition to two poll intervals: leases of frozen workers and back-offs must expire.
SETTLE_SECONDS = 120.0
MAX_TOLD = 20
TOLD_OF_A_REPOSITORY = (
    *("state", "reason", "message", "last_good_commit", "checked_at", "next_due_at", "queued_until"),
    *("lease_holder", "lease_expires_at", "pending_request", "paused_at"),
)


@dataclass
class Soak:
    """A running soak. Create it after Django is set up on the service's database."""

    plan: Plan
    service: Service
    say: Callable[[str], None]
    pushes: list[Push] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    observed: int = 0
    disturbed: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    vitals: Vitals = field(default_factory=Vitals)
    took: float = 0.0
    settled_after: float = 0.0

    def __post_init__(self) -> None:
        self._chance = random.Random(self.plan.seed)
        self.faults = Faults(self.service, random.Random(self.plan.seed + 1))
        self._resume_at: dict[str, float] = {}
        self._wrong: set[str] = set()
        self._workers: list[int] = []

    def run(self) -> None:
        """Run the whole soak and collect `violations`."""
        self._set_up()
        self._began = time.monotonic()
        rounds = [
            (self.plan.push_seconds, self._push),
            (self.plan.fault_seconds, self._make_fault),
            (self.plan.operator_seconds, self._operate),
            *self._watching(),
        ]
        self._go_round(rounds, lambda: self._seconds >= self.plan.seconds)
        self.took = self._seconds
        self._settle()
        self._stop()

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self._began

    def _watching(self) -> list[tuple[float, Callable[[], None]]]:
        return [
            (0.5, self.service.supervise),
            (OBSERVE_SECONDS, self._observe),
            (VITALS_SECONDS, self._look_at_vitals),
            (SAY_SECONDS, self._tell),
        ]

    @staticmethod
    def _go_round(rounds: list[tuple[float, Callable[[], None]]], is_over: Callable[[], bool]) -> None:
        """Call each function about as often as given until `is_over`. After a database error it is called next time."""
        due = [time.monotonic() + seconds for seconds, _do in rounds]
        while not is_over():
            for number, (seconds, do) in enumerate(rounds):
                if time.monotonic() >= due[number]:
                    with _store_may_be_away():
                        do()
                    due[number] = time.monotonic() + seconds
            time.sleep(TICK_SECONDS)

    # Before.

    def _set_up(self) -> None:
        call_command("migrate", verbosity=0)
        tasks.ensure_schedule()
        self._user = User.objects.create(username="soak")
        folder = self.service.folder / "remotes"
        folder.mkdir()
        template = Remote(folder / "template.git").directory
        self._authors = [
            Author.of(
                f"team-{number:03}", folder, template, self._chance, has_python=number % PYTHON_SHARE == 0
            )
            for number in range(self.plan.repositories)
        ]
        for author in self._authors:
            author.pk = Repository.objects.create(name=author.name, url=author.remote.url).pk
        self.service.start_clusters()
        self.say(f"{self.plan.repositories} repositories, polled every {self.plan.interval_ms / 1000:g} s")

    # During the soak.

    def _push(self) -> None:
        author = self._chance.choice(self._authors)
        if author.ledger.pending >= MAX_PENDING or author.name in self._wrong:
            return
        is_hooked = self._chance.random() < 0.5
        self.pushes.append(author.push(is_hooked=is_hooked))
        if is_hooked:
            tasks.enqueue_once(author.pk, Trigger.WEBHOOK)

    def _make_fault(self) -> None:
        if kind := self.faults.make_one():
            self.say(f"fault: {kind}")

    def _operate(self) -> None:
        """Pause a repository for a while or change its subpath, and resume the ones whose pause is over."""
        now = time.monotonic()
        for author in self._authors:
            if author.is_paused and now >= self._resume_at[author.name]:
                self._resume(author)
        author = self._chance.choice(self._authors)
        if author.is_paused or author.ledger.pending >= MAX_PENDING:
            return
        if self._chance.random() < 0.5:
            # Recorded before the pause, so that it is resumed even if the database fails in between.
            author.is_paused, self._resume_at[author.name] = True, now + self._chance.uniform(2, 15)
            self.disturbed[author.name].append((time.time(), float("inf")))
            pause(self._user, Repository.objects.get(pk=author.pk), "the soak has its reasons")
        else:
            self._reconfigure(author)

    def _resume(self, author: Author) -> None:
        resume(self._user, Repository.objects.get(pk=author.pk))
        author.is_paused = False
        began, _never = self.disturbed[author.name].pop()
        self.disturbed[author.name].append((began, time.time()))

    def _reconfigure(self, author: Author) -> None:
        author.reconfigure("" if author.subpath else "dags")
        self.disturbed[author.name].append((time.time(), time.time()))

        def save() -> None:
            row = Repository.objects.get(pk=author.pk)
            row.subpath = author.subpath
            poll_now(row)
            row.save(update_fields=["subpath", "next_due_at", "consecutive_failures"])

        _until_done(save)

    def _observe(self) -> None:
        """Compare the store with the ledgers of the repositories that may have changed, and of some others."""
        open_ = [author for author in self._authors if not author.ledger.is_settled]
        others = self._chance.sample(self._authors, min(len(self._authors), OBSERVED_AT_ONCE // 4))
        chosen = {author.name: author for author in [*open_[:OBSERVED_AT_ONCE], *others]}
        self._chance.shuffle(self._authors)
        for name, found in read_stores(list(chosen)).items():
            if name in self._wrong:
                continue
            self.observed += 1
            if told := chosen[name].ledger.observe(found):
                self._violated(name, told)

    def _violated(self, name: str, told: list[str]) -> None:
        self._wrong.add(name)
        self.violations.append(f"after {self._seconds:.1f} s, {name}: " + "; ".join(told[:MAX_TOLD]))
        self.say(f"VIOLATION: {self.violations[-1]}")

    def _look_at_vitals(self) -> None:
        with suppress(OSError):
            self._workers = sorted({*self._workers, *self.faults.workers()})
            clusters, postmaster = self.service.clusters(), self.service.postmaster()
            self.vitals.look(self._seconds, clusters, self._workers, postmaster)

    def _tell(self) -> None:
        waiting = sum(not author.ledger.is_settled for author in self._authors)
        self.say(
            f"{self._seconds:.0f} s: {len(self.pushes)} pushes, {SyncRun.objects.count()} syncs, "
            f"{self.faults.made.total()} faults, {waiting} repositories behind, {self.observed} times compared, "
            f"{len(self.violations)} violations"
        )

    # After the soak.

    def _settle(self) -> None:
        """Stop the faults, and check that every repository reaches its last push in time."""
        self.say("no more pushes and faults: every repository must reach its last push")
        self.faults.thaw()
        for author in self._authors:
            if author.is_paused:
                _until_done(lambda author=author: self._resume(author))  # type: ignore[misc]
        began = time.monotonic()
        patience = SETTLE_SECONDS + 2 * self.plan.interval_ms / 1000
        behind: dict[str, str] = {"all": ""}

        def is_over() -> bool:
            return not behind or time.monotonic() - began > patience

        def look_behind() -> None:
            found = dict(self._behind())
            behind.clear()
            behind.update(found)

        self._go_round([*self._watching(), (0.5, look_behind)], is_over)
        self.settled_after = time.monotonic() - began
        for name, how in behind.items():
            if name not in self._wrong:
                self._violated(
                    name, [f"does not match {patience:.0f} s after the last push and fault: {how}"]
                )

    def _behind(self) -> Iterator[tuple[str, str]]:
        """Yield the repositories whose content or state does not match their last push, with their current state."""
        rows = {row.name: row for row in Repository.objects.all()}
        for author in self._authors:
            row = rows[author.name]
            is_told = row.last_good_commit == author.tip[0] and row.state in ("in_sync", "degraded")
            if not (author.ledger.is_settled and is_told) or is_held(row):
                fields = ", ".join(
                    f"{name} {getattr(row, name)}" for name in TOLD_OF_A_REPOSITORY if getattr(row, name)
                )
                last = (
                    SyncRun.objects.filter(repository=row)
                    .values_list("state", "to_commit", "started_at")
                    .first()
                )
                yield author.name, f"pushed {author.tip[0]}; {fields}; last sync {last}"

    def _stop(self) -> None:
        """Stop the service and check that it leaves nothing behind."""
        unfinished = SyncRun.objects.filter(state="running").count()
        if unfinished:
            self.violations.append(f"{unfinished} syncs have the state running, but no worker runs them")
        if not self.service.stop():
            self.violations.append("a cluster did not stop on SIGTERM")
        locks = [
            str(path.relative_to(self.service.folder))
            for author in self._authors
            for path in mirror_of(author.pk).directory.rglob("*.lock")
        ]
        if locks:
            self.violations.append(f"leftover git lock files in mirrors: {', '.join(locks[:MAX_TOLD])}")
        left = self._containers_left()
        if left:
            self.violations.append(f"leftover containers: {', '.join(left[:MAX_TOLD])}")

    @staticmethod
    def _containers_left(patience_seconds: float = 15.0) -> list[str]:
        label = [f"kiok.service={sandbox.service()}"]
        deadline = time.monotonic() + patience_seconds
        while True:
            found = sandbox.sandbox().engine.client().containers(all=True, filters={"label": label})
            if not found or time.monotonic() > deadline:
                return [item["Names"][0] for item in found]
            time.sleep(0.5)

    def syncs(self) -> Counter[str]:
        """Return the number of syncs by final state."""
        counted = SyncRun.objects.order_by().values_list("state").annotate(Count("id"))
        return Counter(dict(counted))

    def report(self) -> dict[str, Any]:
        return report(self)


@contextmanager
def _store_may_be_away() -> Iterator[None]:
    """Continue after a database restart."""
    try:
        yield
    except Error:
        connection.close()


def _until_done(do: Callable[[], None], patience_seconds: float = 60.0) -> None:
    """Retry until the database accepts it. Raises the last error after `patience_seconds`."""
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            do()
        except Error:
            connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return
