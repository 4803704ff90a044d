"""A repository that the leader polls, files that loop, and limits of the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.conf import settings

from gitsync.models import Repository, SourceFile, Trigger
from gitsync.sync import poll as polling
from gitsync.sync.poll import poll
from gitsync.sync.probe_cache import ProbeCache
from gitsync.sync.report import SyncReport
from gitsync.sync.run import SyncOptions, sync_repository
from gitsync.worker import sandbox
from kiok.cluster.clock import database_now
from kiok.cluster.conf import properties

INTERVAL = timedelta(seconds=60)
HEADER = "from kiok import Dag\n"
GOOD = HEADER + "d = Dag('good')\nd.task('a', script='s')\n"
LOOPS = "import time\nwhile True: time.sleep(60)\n"  # needs no CPU, which other tests use


def changed_limits(monkeypatch: pytest.MonkeyPatch, **limits: int) -> Iterator[None]:
    caches = (sandbox.sandbox, sandbox._limits)
    with monkeypatch.context() as changed:
        changed.setattr(settings, "KIOK", replace(properties(), **limits))
        for cache in caches:
            cache.cache_clear()
        yield
    for cache in caches:
        cache.cache_clear()


class Polled:
    """The repository, synced as the leader has it synced: when a poll finds something to do."""

    def __init__(self, pk: int) -> None:
        self._pk = pk

    @property
    def row(self) -> Repository:
        return Repository.objects.get(pk=self._pk)

    def file(self, path: str) -> SourceFile:
        return SourceFile.objects.get(repository=self._pk, path=path)

    def poll(self) -> SyncReport | None:
        """Poll once, and sync if there is something to do; None where there is nothing."""
        # Between two polls the answer that repositories share becomes too old.
        polling._probe_cache = ProbeCache()
        return self.sync(Trigger.SCHEDULE) if poll(self._pk) else None

    def sync(self, trigger: Trigger, **options: bool) -> SyncReport:
        return sync_repository(self._pk, SyncOptions(trigger, **options))

    def polls_until(self, moment: datetime) -> int:
        """Return the number of polls that come before the moment, and the one at it."""
        return 1 + round((moment - self.row.next_due_at) / INTERVAL)

    def let_pass(self, moment: datetime) -> None:
        """Move the repository's times back, as if the moment were now."""
        by = moment - database_now()
        row = self.row
        for key in ("retry_at", "until"):
            if at := row.last_outcome.get(key):
                row.last_outcome[key] = (datetime.fromisoformat(at) - by).isoformat()
        row.next_due_at -= by
        row.save(update_fields=["last_outcome", "next_due_at"])
        for file in SourceFile.objects.filter(repository=self._pk, retry_at__isnull=False):
            SourceFile.objects.filter(pk=file.pk).update(retry_at=file.retry_at - by)  # type: ignore[operator]
