"""When it is done, and how much of it at a time."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator

from django.db import DatabaseError

from gitsync.retention.rules import rules
from kiok.cluster.conf import properties

ROUND_SECONDS = 2.0
"""After so long no further step is begun. A round comes once a minute: a thirtieth of one connection's time."""
PASS_SECONDS = 3600.0
"""How often all of it is gone over."""

log = logging.getLogger(__name__)


class Retention:
    """Goes over everything once an hour, in rounds. Used by one thread at a time."""

    def __init__(self) -> None:
        self._under_way: Iterator[tuple[str, int]] | None = None
        self._next_pass = time.monotonic()

    def round(self) -> dict[str, int]:
        """Go on where the last round stopped; by name what was removed.

        Nothing while all was gone over within the last hour.
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
            log.info("cleared away by age: %s", ", ".join(f"{rows} {name}" for name, rows in found.items()))
        return found


def _one_pass() -> Iterator[tuple[str, int]]:
    for rule in rules(properties()):
        try:
            for removed in rule.steps():
                yield rule.name, removed
        except DatabaseError as exc:
            log.warning(
                "%s cannot be cleared away by age, which is tried again in an hour: %s", rule.name, exc
            )
