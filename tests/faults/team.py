"""A team's repository: its pushes, and the database rows that the reference model expects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from django.db.models import Q

from gitsync import tasks
from gitsync.models import Repository, SyncRun, SyncState, Trigger
from kiok.metadata.models import Dag
from tests.support.cluster import eventually
from tests.support.reference.authoring import python_file
from tests.support.reference.differences import differences
from tests.support.reference.model import Authored, Files, after
from tests.support.reference.reading import read_store
from tests.support.servers.repositories import WorkRepo

# What a sync may take on a busy machine, with a lease and an interval until it begins: no promise (see
# `Interruption`).
DEPLOY_SECONDS = 80.0


class Team:
    """A repository of this name, served from `folder`. Its first push configures it, with this interval."""

    pk: int

    def __init__(self, name: str, folder: Path, *, interval_ms: int | None = None) -> None:
        self.name = name
        self.repo = WorkRepo(folder, f"{name}.git")
        self.pushed: list[tuple[str, Files]] = []
        self._interval_ms = interval_ms

    def push(self, files: Mapping[str, Authored]) -> str:
        """Push a commit of exactly these files; returns it. Wait for it before the next: each is to be synced."""
        for path in self.repo.work.glob("[!.]*"):
            path.unlink()
        commit = self.repo.publish({path: file.text or "" for path, file in files.items()})
        if not self.pushed:
            row = Repository(name=self.name, url=self.repo.file_url, interval_ms=self._interval_ms)
            row.save()
            self.pk = row.pk
        self.pushed.append((commit, files))
        return commit

    def ask(self) -> None:
        """Request a sync as an operator."""
        tasks.enqueue_sync(self.pk, Trigger.ADMIN, requested_by="operator")

    @property
    def row(self) -> Repository:
        return Repository.objects.get(pk=self.pk)

    def deploys(self, within_seconds: float = DEPLOY_SECONDS) -> None:
        """Wait until the last push is in the store, whole. It is all that was pushed then."""
        commit = self.pushed[-1][0]
        eventually(
            lambda: Repository.objects.filter(pk=self.pk, last_good_commit=commit, state="in_sync").exists(),
            within_seconds,
            lambda: f"{commit[:12]} of {self.name} is deployed; it is at {self._standing()}",
        )
        self.holds_what_was_pushed()

    def holds_what_was_pushed(self) -> None:
        """Assert that the database matches the model in every field and version."""
        found = differences(after(self.name, self.pushed), read_store(self.name))
        assert not found, "\n".join(found)

    def serves_as_before_the_last_push(self) -> None:
        """Assert that the store has nothing of the last push, and everything of the pushes before it."""
        found = differences(after(self.name, self.pushed[:-1]), read_store(self.name))
        assert not found, "\n".join(found)

    def sync_in(self, step: str) -> SyncRun | None:
        """The sync of it that is in that step, if there is one."""
        return SyncRun.objects.filter(repository=self.pk, state=SyncState.RUNNING, step=step).first()

    def holder(self) -> int:
        """The process that holds its claim."""
        return pid_of(self.row.lease_holder)

    def put_off_until(self) -> datetime:
        """Until when it is not tried again, its workers having died."""
        return datetime.fromisoformat(self.row.last_outcome["until"])

    def _standing(self) -> str:
        row = self.row
        return f"{row.state} {row.reason} {row.message}"


# Makes a team of this name; `interval_ms` is that of its repository.
NewTeam = Callable[..., Team]


def pid_of(holder: str) -> int:
    """The process in a holder's name (`kiok.cluster.process_id.process_name`)."""
    return int(holder.split("/")[2])


def slow_python(dag_id: str, seconds: float, script: str = "echo p") -> Authored:
    """A module that takes that long to compile."""
    file = python_file({dag_id: script})
    return Authored(f"import time\ntime.sleep({seconds})\n{file.text}", file.dags, is_keyed=file.is_keyed)


def nothing_is_held(teams: Mapping[str, Team]) -> bool:
    """Return whether no lease is held, no sync is running and no DAG is stale in any of these repositories."""
    pks = [team.pk for team in teams.values()]
    return not (
        Repository.objects.filter(~Q(lease_holder=""), pk__in=pks).exists()
        or SyncRun.objects.filter(repository__in=pks, state=SyncState.RUNNING).exists()
        or Dag.objects.filter(repository__in=teams, stale_since__isnull=False).exists()
    )
