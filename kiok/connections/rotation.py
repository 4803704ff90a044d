"""Bringing stored connections under the active data key."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from kiok.connections.errors import ConnectionsError
from kiok.connections.models import Connection, DataKey

BATCH = 50


@dataclass(frozen=True, slots=True)
class Reencrypted:
    """How many connections were changed, how many needed nothing, and what went wrong with the others."""

    changed: int
    current: int
    failures: tuple[str, ...]


def reencrypt() -> Reencrypted:
    """Encrypt every connection under the key that is active now, `BATCH` rows per transaction.

    Interrupted, it can simply be run again: rows that are done are recognised by their key version. Each row
    is locked while it is rewritten, so an edit at the same time is not lost. A connection that does not
    decrypt is reported and stops no other. Raises MasterKeyMissing, MasterKeyTooShort or MasterKeyWrong.
    """
    key = DataKey.current()
    key.unwrap()  # with a wrong master key, stop here rather than at each row
    changed = current = 0
    failures: list[str] = []
    last = ""
    while True:
        with transaction.atomic():
            rows = list(Connection.objects.select_for_update().filter(id__gt=last).order_by("id")[:BATCH])
            for row in rows:
                try:
                    if row.reencrypt(key):
                        changed += 1
                    else:
                        current += 1
                except ConnectionsError as exc:
                    failures.append(str(exc))
        if not rows:
            return Reencrypted(changed, current, tuple(failures))
        last = rows[-1].id
