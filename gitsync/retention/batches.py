"""Going over a table from its oldest row, each step a transaction of its own that waits for nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from django.db import connection, transaction
from django.db.models import BooleanField, ExpressionWrapper, Model, Q, QuerySet
from django.db.models.functions import Now

BATCH = 1000
"""Rows that one step looks at, or removes."""
STEP_TIMEOUT_MS = 10_000
"""Where a statement takes longer, something is wrong, and syncs come first."""


class RetentionRule(Protocol):
    """What may go of one kind of rows."""

    @property
    def name(self) -> str:
        """In words, plural."""

    def steps(self) -> Iterator[int]:
        """Each item is a transaction that was committed, and the rows it removed. Raises DatabaseError."""


@dataclass(frozen=True, slots=True)
class Looked:
    """An old row: its key, and what it is one of (a repository, a DAG)."""

    pk: int
    group: Any


MayGo = Callable[[Sequence[Looked]], "QuerySet[Any]"]
Remove = Callable[["QuerySet[Any]"], bool]


def delete(rows: QuerySet[Any]) -> bool:
    rows.delete()
    return True


@dataclass(frozen=True, slots=True)
class Aged:
    """Rows older than some days that `may_go` lets go.

    Keys grow as time does, so old rows come first and a walk ends with the first young ones: what it costs goes
    with the old rows, not with the table. `since` is the column of a row's age, by the database's clock, `group` that
    of what it is one of. `remove` takes what goes, and is called again with what is left unless it was all (True).
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
        """The old ones of the next rows, and whether there are no more."""
        is_old = ExpressionWrapper(
            Q(**{f"{self.since}__lt": Now() - timedelta(days=self.days)}), output_field=BooleanField()
        )
        rows = self.model._default_manager.filter(pk__gt=after).order_by("pk").annotate(is_old=is_old)
        looked = list(rows.values_list("pk", self.group, "is_old")[:BATCH])
        old = [Looked(pk, group) for pk, group, is_old in looked if is_old]
        return old, len(looked) < BATCH or not looked[-1][2]


@dataclass(frozen=True, slots=True)
class Expired:
    """Rows that a query finds by itself."""

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
    """The keys of those rows, a batch at most, that nobody else has locked, now locked: to remove them waits for no one."""
    return list(rows.order_by().select_for_update(skip_locked=True).values_list("pk", flat=True)[:BATCH])


@contextmanager
def _short_transaction() -> Iterator[None]:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {STEP_TIMEOUT_MS}")
        yield
