"""The only schedule of the task queue, in place of django-q2's scheduler.

django-q2's scheduler enqueues any function that a row of its table names, with any options (`hook`, `chain`, and `sync`,
which runs the function in the scheduling process), and one unreadable row keeps all others from running. This scheduler
enqueues only the leader's task.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from django.db import close_old_connections, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django_q.models import Schedule
from django_q.tasks import async_task

from gitsync.queue.task_allowlist import shown

NAME = "git sync leader"
FUNCTION = "gitsync.tasks.lead"
INTERVAL = timedelta(minutes=1)
OPTIONS = "q_options={'save': False}"  # as earlier releases wrote it; it has no effect on what is enqueued
_MAX_REMEMBERED = 1000  # refused rows that are not logged again by this process

log = logging.getLogger(__name__)

_refused: set[tuple[int, str]] = set()


def ensure() -> None:
    """Create the schedule unless an intact row exists."""
    if not _intact().exists():
        Schedule.objects.create(
            name=NAME,
            func=FUNCTION,
            schedule_type=Schedule.MINUTES,
            minutes=INTERVAL.seconds // 60,
            repeats=-1,
            kwargs=OPTIONS,
        )


def run_due(broker: Any = None) -> None:
    """Enqueue the leader's task if its schedule is due, and log every other schedule that is due as refused.

    django-q2's sentinel calls this about twice a minute in place of its own scheduler.
    """
    try:
        close_old_connections()
        due = Schedule.objects.exclude(repeats=0).filter(next_run__lt=Now())
        for row in due.exclude(pk__in=_intact().values("pk")):
            _refuse(row)
        with transaction.atomic():
            row = due.filter(pk__in=_intact().values("pk")).select_for_update(skip_locked=True).first()
            if row is not None:
                options = {"save": False, "group": NAME, **({"broker": broker} if broker else {})}
                id = async_task(FUNCTION, q_options=options)
                Schedule.objects.filter(pk=row.pk).update(next_run=Now() + INTERVAL, task=id)
    except Exception:  # any error: raised, it would end the sentinel; the next call tries again
        log.exception("cannot run the leader's schedule; trying again")


def _intact() -> QuerySet[Schedule]:
    """Return the rows exactly as this product writes them: no hook, no other arguments, no other cluster."""
    rows: QuerySet[Schedule] = Schedule.objects.filter(
        *(Q(**{f"{field}__isnull": True}) | Q(**{field: ""}) for field in ("hook", "args", "cluster")),
        Q(kwargs__isnull=True) | Q(kwargs__in=("", OPTIONS)),
        func=FUNCTION,
    ).exclude(repeats=0)
    return rows


def _refuse(row: Schedule) -> None:
    """Log a refused schedule, once per process, because it stays due."""
    if len(_refused) >= _MAX_REMEMBERED:
        _refused.clear()
    if (row.pk, row.func) in _refused:
        return
    _refused.add((row.pk, row.func))
    log.error(
        "refused schedule %r: function %r with hook %r, arguments %r and %r is not the schedule of the leader; "
        "delete the row",
        *(shown(row.name), shown(row.func), shown(row.hook), shown(row.args), shown(row.kwargs)),
    )
