"""Scan of a table from its oldest row. Each step is a transaction of its own that waits for no lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from django.db import connection, transaction
from django.db.models import BooleanField, ExpressionWrapper, Model, Q, QuerySet
from django.db.models.functions import Now

BATCH = 1000  # rows that one step reads or removes
STEP_TIMEOUT_MS = 10_000  # per statement; if one takes longer something is wrong, and syncs take precedence


class RetentionRule(Protocol):
    """Retention rule for one kind of rows."""

    @property
    def name(self) -> str:
        """Return the plural noun of the rows, for people."""

    def steps(self) -> Iterator[int]:
        """Run the rule; yield the number of removed rows after each committed transaction. Raises DatabaseError."""


@dataclass(frozen=True, slots=True)
class Looked:
    """Old row: its key and its group (the key of a repository or a DAG)."""

    pk: int
    group: Any


MayGo = Callable[[Sequence[Looked]], "QuerySet[Any]"]
Remove = Callable[["QuerySet[Any]"], bool]


def delete(rows: QuerySet[Any]) -> bool:
    rows.delete()
    return True


@dataclass(frozen=True, slots=True)
class Aged:
    """Rule for rows that are older than `days` and that `may_go` selects.

    Keys grow with time, so old rows come first and a scan ends at the first young ones: its cost depends on the old
    rows, not on the table. `since` is the column of a row's age, by the database's clock; `group` is the column of its
    repository or DAG. `remove` removes rows, and is called again with the rest until it returns True.
    """

    name: str
    model: type[Model]
    since: str
    group: str
    days: int
    may_go: MayGo
    remove: Remove = delete

    def steps(self) -> Iterator[int]:
        after, ended = 0, False
        while not ended:
            with _short_transaction():
                old, ended = self._look(after)
                going = _locked(self.may_go(old)) if old else []
                done = not going or self.remove(self.model._default_manager.filter(pk__in=going))
            if done and old:
                after = old[-1].pk
            ended = ended and done
            yield len(going) if done else 0

    def _look(self, after: int) -> tuple[list[Looked], bool]:
        """Return the old rows of the next batch, and whether there are no more."""
        is_old = ExpressionWrapper(
            Q(**{f"{self.since}__lt": Now() - timedelta(days=self.days)}), output_field=BooleanField()
        )
        rows = self.model._default_manager.filter(pk__gt=after).order_by("pk").annotate(is_old=is_old)
        looked = list(rows.values_list("pk", self.group, "is_old")[:BATCH])
        old = [Looked(pk, group) for pk, group, is_old in looked if is_old]
        return old, len(looked) < BATCH or not looked[-1][2]


@dataclass(frozen=True, slots=True)
class Expired:
    """Rule for rows that a query selects."""

    name: str
    rows: Callable[[], QuerySet[Any]]

    def steps(self) -> Iterator[int]:
        removed = BATCH
        while removed == BATCH:
            with _short_transaction():
                rows = self.rows()
                going = _locked(rows)
                rows.model._default_manager.filter(pk__in=going).delete()
                removed = len(going)
            yield removed


def _locked(rows: QuerySet[Any]) -> list[Any]:
    """Lock at most a batch of the rows that nothing else has locked; return their keys. Removing them never waits."""
    return list(rows.order_by().select_for_update(skip_locked=True).values_list("pk", flat=True)[:BATCH])


@contextmanager
def _short_transaction() -> Iterator[None]:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {STEP_TIMEOUT_MS}")
        yield
