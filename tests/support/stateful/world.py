"""Remotes, the repositories that follow them, and what the store must hold of each after what was done.

Every action is done twice: to git and the service, and to the reference model. `check` compares the two.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.management.color import no_style
from django.db import connection, connections
from django.utils import timezone

from gitsync.actions import pause, resume
from gitsync.models import Repository, SyncRun, SyncState
from gitsync.sync.backoff import poll_now
from gitsync.sync.lease import acquire
from gitsync.sync.run import SyncOptions, sync_repository
from tests.support.reference.authoring import yaml_file
from tests.support.reference.differences import differences
from tests.support.reference.model import Authored, Files, Store, in_scope, synced
from tests.support.reference.reading import read_stores
from tests.support.reference.remote import Remote
from tests.support.stateful.nursery import Nursery

MAIN, OTHER, TAG = "heads/main", "heads/other", "tags/v1"
# The refs a repository may follow, as they are configured, and where git has them.
FOLLOWED = {"main": MAIN, "other": OTHER, "tag:v1": TAG}
# At whose beginning nothing of the commit is in the store.
BEFORE_APPLY = ("probe", "fetch", "discover", "compile", "plan", "apply")
_KEPT = ("django_migrations", "django_content_type", "auth_permission")
_WRITES = ("INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True, slots=True)
class Pushed:
    """A commit of a remote."""

    commit: str
    files: Files


@dataclass(slots=True)
class Served:
    """A remote, all its commits in order, and what its refs name now."""

    remote: Remote
    commits: list[Pushed] = field(default_factory=list)
    refs: dict[str, Pushed] = field(default_factory=dict)

    def push(self, ref: str, files: Files, parent: str = "") -> None:
        """A new commit of these files on that ref."""
        commit = self.remote.commit(files, parent, f"change {len(self.commits)}")
        self.commits.append(Pushed(commit, files))
        self.point(ref, self.commits[-1])

    def edit(self, ref: str, edits: Mapping[str, Authored | None]) -> None:
        """A new commit on that ref in which these files are others, None: gone."""
        tip = self.refs.get(ref)
        files = {**(tip.files if tip else {}), **edits}
        self.push(ref, {path: file for path, file in files.items() if file}, tip.commit if tip else "")

    def point(self, ref: str, pushed: Pushed) -> None:
        self.refs[ref] = pushed
        self.remote.point(ref, pushed.commit)

    def go_back(self, ref: str, by: int) -> None:
        """Have a ref name the commit that was the newest so many pushes ago."""
        self.point(ref, self.commits[max(0, len(self.commits) - 1 - by)])

    def remove(self, ref: str) -> None:
        self.refs.pop(ref, None)
        self.remote.remove(ref)


@dataclass(slots=True)
class Configured:
    """A repository of the service as the test knows it.

    `seen` is the place, ref and subpath, of the last sync that came to a good end; `judged` the commit and place that
    the service need not look at again, None where it may.
    """

    pk: int
    name: str
    served: Served
    ref: str = "main"
    subpath: str = ""
    enabled: bool = True
    is_paused: bool = False
    store: Store = field(default_factory=Store)
    seen: tuple[str, str] | None = None
    judged: tuple[str, str, str] | None = None

    @property
    def tip(self) -> Pushed | None:
        return self.served.refs.get(FOLLOWED[self.ref])

    @property
    def configuration(self) -> tuple[str, str, bool, bool]:
        return self.ref, self.subpath, self.enabled, self.is_paused

    @property
    def is_settled(self) -> bool:
        """Return whether a sync now finds nothing new."""
        tip = self.tip
        return tip is not None and self.judged == (tip.commit, self.ref, self.subpath)

    def outcome(self) -> Outcome:
        """Return the outcome of a sync now."""
        tip = self.tip
        if not self.enabled or self.is_paused or tip is None or self.is_settled:
            return Outcome(self.store, self.seen, self.judged)
        judged = (tip.commit, self.ref, self.subpath)
        files = in_scope(tip.files, self.subpath)
        if self.subpath and not files and self.seen != (self.ref, self.subpath):
            return Outcome(self.store, self.seen, judged)  # a folder that nobody ever saw: a mistake
        return Outcome(synced(self.store, self.name, tip.commit, files), (self.ref, self.subpath), judged)

    def take(self, outcome: Outcome) -> None:
        self.store, self.seen, self.judged = outcome.store, outcome.seen, outcome.judged


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a sync: the fields of `Configured`."""

    store: Store
    seen: tuple[str, str] | None
    judged: tuple[str, str, str] | None


class World:
    """Two remotes; three repositories, two of which share a remote."""

    def __init__(self, folder: Path, template: Path, nursery: Nursery) -> None:
        self.nursery = nursery
        self.folder = folder
        _empty_tables()
        folder.mkdir()
        self.user = User.objects.create(username="ada")
        self.remotes = [Served(Remote(folder / f"{number}.git", template)) for number in range(2)]
        for served in self.remotes:
            served.push(MAIN, {"a.yaml": yaml_file({"x": "echo 0"})})
        self.repositories = [
            Configured(Repository.objects.create(name=name, url=served.remote.url).pk, name, served)
            for name, served in zip(("alpha", "beta", "gamma"), (*self.remotes, self.remotes[1]), strict=True)
        ]

    def close(self) -> None:
        shutil.rmtree(self.folder)

    # What people do.

    def configure(self, one: Configured, **fields: Any) -> None:
        """Edit ref, subpath or enabled, as a form does: of the row that is there."""
        row = Repository.objects.get(pk=one.pk)
        for name, value in fields.items():
            setattr(one, name, value)
            setattr(row, name, value)
        poll_now(row)
        row.save(update_fields=[*fields, "next_due_at", "consecutive_failures"])

    def pause(self, one: Configured) -> None:
        pause(self.user, Repository.objects.get(pk=one.pk), "why not")
        one.is_paused = True

    def resume(self, one: Configured) -> None:
        resume(self.user, Repository.objects.get(pk=one.pk))
        one.is_paused = False

    # Syncs.

    def sync(self, one: Configured, *, full: bool = False) -> None:
        """One sync to its end. Where nothing is new it may write when it looked, and nothing else."""
        expected, nothing_new = one.outcome(), one.is_settled and not full
        written: list[str] = []

        def count(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
            if sql.lstrip().startswith(_WRITES):
                written.append(sql)
            return execute(sql, *arguments)

        with connection.execute_wrapper(count):
            sync_repository(one.pk, SyncOptions(full=full))
        if nothing_new:
            assert len(written) <= 1, written
            assert all(sql.startswith('UPDATE "gitsync_repository" SET "checked_at"') for sql in written), (
                written
            )
        if one.enabled and not one.is_paused and one.tip:
            assert not SyncRun.objects.filter(repository_id=one.pk, state=SyncState.RUNNING).exists()
        one.take(expected)

    def sync_killed(self, one: Configured, *, step: str = "", statements: int = 0) -> None:
        """A sync whose process is killed: the store is as before, or as after the sync, and nothing between."""
        expected = one.outcome()
        if not self.nursery.sync(one.pk, step=step, statements=statements):
            one.take(expected)
            return
        one.judged = None
        # Killed at a statement: that is before or after the commit, and the store says which.
        is_applied = step == "finish"
        if not step:
            is_applied = not differences(expected.store, read_stores([one.name])[one.name])
        if is_applied:
            one.store = expected.store
        row = Repository.objects.get(pk=one.pk)
        if row.synced_location == row.location:
            one.seen = (one.ref, one.subpath)

    def edit_during_a_sync(self, one: Configured, step: str, action: Callable[[], None]) -> None:
        """A sync during which its repository is edited or paused: nothing of the old configuration is committed."""
        before, configuration, was_new = one.outcome(), one.configuration, not one.is_settled
        is_reached = self._sync_while(one, step, action)
        if not is_reached or one.configuration == configuration:
            one.take(before)
        elif step == "probe":
            # A look by the old configuration. What it finds is synced by the new one.
            if was_new and before.judged != one.judged:
                one.take(one.outcome())
        elif step == "finish":
            one.store, one.judged = before.store, None
        elif before.seen != (configuration[0], configuration[1]):
            one.judged = None  # there was no such folder; the edit is looked at next
        else:
            one.take(one.outcome())

    def push_during_a_sync(self, one: Configured, step: str, edits: Mapping[str, Authored | None]) -> None:
        """A sync during which there is a push to what it follows: it takes the one commit or the other."""
        before = one.outcome()
        is_reached = self._sync_while(one, step, lambda: one.served.edit(FOLLOWED[one.ref], edits))
        one.take(one.outcome() if is_reached and step in ("probe", "fetch") else before)

    def lose_the_claim_during_a_sync(self, one: Configured, step: str) -> None:
        """A sync whose repository another worker takes over, as from one that seems dead: it commits nothing more."""

        def lose() -> None:
            rows = Repository.objects.filter(pk=one.pk)
            rows.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
            assert acquire(one.pk) is not None
            rows.update(lease_holder="", lease_expires_at=None)

        before = one.outcome()
        if not self._sync_while(one, step, lose):
            one.take(before)
        elif step == "finish":
            one.store, one.judged = before.store, None

    def _sync_while(self, one: Configured, step: str, action: Callable[[], None]) -> bool:
        """A sync at the beginning of whose step something else happens; whether it came to that."""
        done: list[str] = []

        def progress(name: str, _detail: str) -> None:
            if name == step and not done:
                done.append(name)
                action()

        sync_repository(one.pk, SyncOptions(), progress)
        return bool(done)

    def sync_everything_at_once(self) -> None:
        """Two syncs of each repository, all side by side."""
        expected = [one.outcome() for one in self.repositories]
        errors: list[BaseException] = []

        def run(pk: int, *, wait: bool) -> None:
            try:
                sync_repository(pk, SyncOptions(wait=wait))
            except BaseException as exc:  # noqa: BLE001 - told below, in the test's own thread
                errors.append(exc)
            finally:
                connections.close_all()

        threads = [
            threading.Thread(target=run, args=(one.pk,), kwargs={"wait": wait})
            for one in self.repositories
            for wait in (True, False)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors, errors
        for one, outcome in zip(self.repositories, expected, strict=True):
            one.take(outcome)

    # What must hold.

    def check(self) -> None:
        """The store is, for each repository, what the model says: DAGs, texts, commits, versions, history."""
        found = read_stores([one.name for one in self.repositories])
        for one in self.repositories:
            told = differences(one.store, found[one.name])
            assert not told, "\n".join(told)


def _empty_tables() -> None:
    """Clean up as after a test, between two histories of one."""
    tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
    statements = connection.ops.sql_flush(no_style(), [table for table in tables if table not in _KEPT])
    connection.ops.execute_sql_flush(statements)
