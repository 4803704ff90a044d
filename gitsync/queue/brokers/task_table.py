"""django-q2's table of tasks, by the database's clock alone.

django-q2 compares the clock of whoever asks with that of whoever delivers: a task that is asked for on a machine whose
clock is an hour ahead, or just before a clock is put back by one, would not be delivered for an hour.
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
    """As its base, with times that all machines share."""

    def timeout(self, task: Any) -> Any:  # noqa: ARG002
        return Now() + timedelta(seconds=Conf.RETRY)

    def queue_size(self) -> int:
        return int(self.get_connection().filter(key=self.list_key, lock__lte=Now()).count())

    def lock_size(self) -> int:
        return int(self.get_connection().filter(key=self.list_key, lock__gt=Now()).count())

    def load(self) -> Load:
        """Raises DatabaseError."""
        waiting = self.get_connection().filter(key=self.list_key, lock__lte=Now())
        # A task that waits has been there since its `lock`, which is the time it was put in.
        ages = waiting.annotate(age=Now() - F("lock")).order_by("lock").values_list("age", flat=True)
        oldest = ages.first()
        return Load(
            self.queue_size(), self.lock_size(), None if oldest is None else float(oldest.total_seconds())
        )

    def enqueue(self, task: str) -> Any:
        row = self.get_connection().create(key=self.list_key or Conf.CLUSTER_NAME, payload=task, lock=Now())
        return row.pk

    def dequeue(self) -> list[tuple[int, str]]:
        """The tasks that are due, taken; waits a little where there are none."""
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
