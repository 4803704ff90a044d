"""Task table of django-q2, based on the database's clock alone.

django-q2 compares the clocks of the enqueuing and the delivering machine: a task enqueued on a machine whose clock is an
hour ahead, or just before a clock is set back by one, would not be delivered for an hour.
"""

from __future__ import annotations

from datetime import timedelta
from time import sleep
from typing import Any

from django.db.models import F
from django.db.models.functions import Now
from django_q.brokers.orm import ORM
from django_q.conf import Conf

from gitsync.queue.brokers.load import Load


class TaskTable(ORM):  # type: ignore[misc]
    """Task table whose times come from the database's clock, which all machines share."""

    def timeout(self, task: Any) -> Any:  # noqa: ARG002
        return Now() + timedelta(seconds=Conf.RETRY)

    def queue_size(self) -> int:
        return int(self.get_connection().filter(key=self.list_key, lock__lte=Now()).count())

    def lock_size(self) -> int:
        return int(self.get_connection().filter(key=self.list_key, lock__gt=Now()).count())

    def load(self) -> Load:
        """Return the load. Raises DatabaseError."""
        waiting = self.get_connection().filter(key=self.list_key, lock__lte=Now())
        # The `lock` of a waiting task is the time at which it was enqueued.
        ages = waiting.annotate(age=Now() - F("lock")).order_by("lock").values_list("age", flat=True)
        oldest = ages.first()
        return Load(
            self.queue_size(), self.lock_size(), None if oldest is None else float(oldest.total_seconds())
        )

    def enqueue(self, task: str) -> Any:
        row = self.get_connection().create(key=self.list_key or Conf.CLUSTER_NAME, payload=task, lock=Now())
        return row.pk

    def dequeue(self) -> list[tuple[int, str]]:
        """Claim and return the tasks that are due; if there are none, sleep for the poll interval."""
        table = self.get_connection()
        due = table.filter(key=self.list_key, lock__lt=Now())[: Conf.BULK]
        taken = [
            (row.pk, row.payload)
            for row in due
            # Another cluster may have been faster.
            if table.filter(pk=row.pk, lock=row.lock).update(lock=self.timeout(row))
        ]
        if not taken:
            sleep(Conf.POLL)
        return taken
