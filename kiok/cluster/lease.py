"""Leases: the right of one process to do something, stored in a row, for as long as the process renews it.

The number of a lease grows with every acquisition (a fencing token: Kleppmann, "How to do distributed locking"), so that
a process that lost the lease writes nothing. The database's clock decides when a lease expires.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import F, Model, Q, QuerySet
from django.db.models.functions import Now

from kiok.cluster.process_id import is_dead


@dataclass(frozen=True, slots=True)
class Lease:
    """The columns of a model that hold a lease, and its length.

    `holder` names the process (`kiok.cluster.process_id`), "" for none; `expires_at` is null without a lease; `number`
    counts the acquisitions, "" where none is counted.
    """

    seconds: float
    holder: str = "holder"
    expires_at: str = "expires_at"
    number: str = "number"

    def held(self, prefix: str = "") -> Q:
        """Return the condition that the lease is held and has not expired. `prefix`: of a related model, as "channel__"."""
        return Q(**{f"{prefix}{self.expires_at}__gt": Now()}) & ~Q(**{f"{prefix}{self.holder}": ""})

    def free(self, seen_holder: str = "") -> Q:
        """Return the condition that the lease can be acquired. `seen_holder` is its holder as read before.

        A holder that died on this machine is seen at once; any other counts as alive until its lease expires.
        """
        free = Q(**{self.holder: ""}) | Q(**{f"{self.expires_at}__isnull": True})
        free |= Q(**{f"{self.expires_at}__lte": Now()})
        if seen_holder and is_dead(seen_holder):
            free |= Q(**{self.holder: seen_holder})
        return free

    def is_held(self, row: Model) -> bool:
        """Return whether the lease of the row is held by a process that is alive, as far as this machine can tell."""
        holder = getattr(row, self.holder)
        rows = type(row)._default_manager.filter(self.held(), pk=row.pk)
        return bool(holder) and not is_dead(holder) and rows.exists()

    def acquire(self, rows: QuerySet[Any, Any], holder: str, **changes: Any) -> bool:
        """Give the lease of the one row of `rows` to `holder`, if it exists; `changes` are written with it.

        `rows` has the condition `free`. Returns whether the holder has it.
        """
        number = {self.number: F(self.number) + 1} if self.number else {}
        values = {self.holder: holder, self.expires_at: self.end(), **number, **changes}
        return bool(rows.update(**values))

    def renew(self, rows: QuerySet[Any, Any]) -> bool:
        """Extend the lease of the one row of `rows`; return whether the row exists."""
        return bool(rows.update(**{self.expires_at: self.end()}))

    def release(self, rows: QuerySet[Any, Any]) -> None:
        """End the lease of the one row of `rows`, so that the next holder need not wait."""
        rows.update(**{self.holder: "", self.expires_at: None})

    def end(self) -> Any:
        """Return the expression of the time at which a lease that begins now expires."""
        return Now() + timedelta(seconds=self.seconds)
