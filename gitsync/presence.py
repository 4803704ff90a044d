"""Which workers are alive: each tells the store every few seconds, whatever its engine does meanwhile."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import QuerySet
from django.db.models.functions import Now

from gitsync.models import Worker

ALIVE_SECONDS = 15.0
"""So old may the row of a worker that is alive be: it writes thrice in that time."""


def alive() -> QuerySet[Worker]:
    """The rows of the workers that are alive, by the database's clock."""
    return Worker.objects.filter(seen_at__gt=Now() - timedelta(seconds=ALIVE_SECONDS))


def host_of(name: str) -> str:
    """The machine in a worker's name (`gitsync.process.process_name`)."""
    return name.partition("/")[0]
