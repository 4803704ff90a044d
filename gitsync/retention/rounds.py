"""Schedule of retention: when it runs, and how much it does at a time."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator

from django.db import DatabaseError

from gitsync.retention.rules import rules
from kiok.cluster.conf import properties

# A round starts no further step after this time. With one round a minute it uses a thirtieth of one connection's time.
ROUND_SECONDS = 2.0
PASS_SECONDS = 3600.0  # between two passes over all tables

log = logging.getLogger(__name__)


class Retention:
    """Hourly pass over all tables, in rounds. Used by one thread at a time."""

    def __init__(self) -> None:
        self._under_way: Iterator[tuple[str, int]] | None = None
        self._next_pass = time.monotonic()

    def round(self) -> dict[str, int]:
        """Continue where the last round stopped; return the number of removed rows by name.

        Does nothing if a pass was completed and the next hourly one is not due.
        """
        if self._under_way is None:
            if time.monotonic() < self._next_pass:
                return {}
            self._next_pass = time.monotonic() + PASS_SECONDS
            self._under_way = _one_pass()
        removed: Counter[str] = Counter()
        until = time.monotonic() + ROUND_SECONDS
        for name, rows in self._under_way:
            removed[name] += rows
            if time.monotonic() > until:
                break
        else:
            self._under_way = None
        found = {name: rows for name, rows in removed.items() if rows}
        if found:
            log.info("retention removed %s", ", ".join(f"{rows} {name}" for name, rows in found.items()))
        return found


def _one_pass() -> Iterator[tuple[str, int]]:
    for rule in rules(properties()):
        try:
            for removed in rule.steps():
                yield rule.name, removed
        except DatabaseError as exc:
            log.warning("retention of %s failed and is retried in an hour: %s", rule.name, exc)
