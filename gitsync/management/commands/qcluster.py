"""`manage.py qcluster`: django-q2's command, with queues that survive a killed worker."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Any

from django_q import cluster
from django_q.management.commands.qcluster import Command as DjangoQCommand

# Every worker needs these modules. They are imported once, before the workers are forked.
from gitsync import retention  # noqa: F401
from gitsync.queue import leader_schedule
from gitsync.sync import run  # noqa: F401
from gitsync.worker import poller, pool_maintainer  # noqa: F401
from gitsync.worker.cluster import SurvivingSentinel
from kiok.notifications import outbox  # noqa: F401


class Command(DjangoQCommand):  # type: ignore[misc]
    help = "Run only the workers, without the web server. Takes the options of django-q2's command."
    requires_system_checks: Sequence[str] = ()  # they would import every page

    def handle(self, *args: Any, **options: Any) -> None:
        cluster.Sentinel = SurvivingSentinel
        cluster.scheduler = leader_schedule.run_due
        gc.freeze()  # keeps memory shared with the workers: garbage collection would write to every page
        super().handle(*args, **options)
