"""`manage.py qcluster`: django-q2's own command, with queues that outlive a killed worker."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Any

from django_q import cluster
from django_q.management.commands.qcluster import Command as DjangoQCommand

# What every worker needs, imported once, before they are forked.
from gitsync import keeper, leader, leader_schedule  # noqa: F401
from gitsync.queues import SurvivingSentinel
from gitsync.sync import run  # noqa: F401


class Command(DjangoQCommand):  # type: ignore[misc]
    requires_system_checks: Sequence[str] = ()  # they would import every page

    def handle(self, *args: Any, **options: Any) -> None:
        cluster.Sentinel = SurvivingSentinel
        cluster.scheduler = leader_schedule.run_due
        gc.freeze()  # so that workers share it: looking for garbage would write to each page of it
        super().handle(*args, **options)
