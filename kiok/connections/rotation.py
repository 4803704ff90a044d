"""Bringing stored connections under the active data key, and data keys under a new master key."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from kiok.connections import envelope
from kiok.connections.errors import NEW_MASTER_KEY, ConnectionsError, MasterKeyUnchanged, MasterKeyWrong
from kiok.connections.models import Connection, DataKey, lock_data_keys

BATCH = 50


@dataclass(frozen=True, slots=True)
class Reencrypted:
    """How many connections were changed, how many needed nothing, and what went wrong with the others."""

    changed: int
    current: int
    failures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GivenUp:
    """How many data keys were given up, and the connections that hold values under them, which nobody can read any more."""

    keys: int
    connections: tuple[str, ...]


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


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """How many data keys were brought under the new master key, and how many were under it already."""

    changed: int
    current: int


def rewrap(old: str | None, new: str | None) -> Rewrapped:
    """Bring every data key from the old master key under the new one, all in one transaction.

    Values are not touched: the data keys stay what they are. Killed at any moment, either all of them are under
    the old key or all under the new one; run again, those that are under the new one are recognised. Raises
    MasterKeyMissing, MasterKeyTooShort, MasterKeyUnchanged, or MasterKeyWrong for a data key that neither
    opens; then nothing has changed.
    """
    old = envelope.check_master_key(old)
    new = envelope.check_master_key(new, NEW_MASTER_KEY)
    if old == new:
        raise MasterKeyUnchanged
    changed = current = 0
    with transaction.atomic():
        lock_data_keys()
        for row in DataKey.objects.select_for_update().order_by("version"):
            try:
                key = row.unwrap_with(old)
            except MasterKeyWrong:
                row.unwrap_with(new)
                current += 1
                continue
            wrapped = envelope.wrap(new, row.version, key)
            row.salt, row.nonce, row.wrapped = wrapped.salt, wrapped.nonce, wrapped.ciphertext
            row.save(update_fields=["salt", "nonce", "wrapped"])
            changed += 1
    return Rewrapped(changed, current)


def give_up() -> GivenUp:
    """Where the master key is lost: give up the data keys that the present one does not open, and make a new one.

    What is stored under them stays as it is, by name, and has to be entered again. Gives up nothing where the master key
    opens all of them. Raises MasterKeyMissing or MasterKeyTooShort.
    """
    with transaction.atomic():
        lock_data_keys()
        lost = [key.version for key in DataKey.objects.all() if not _opens(key)]
        if not lost:
            return GivenUp(0, ())
        rows = DataKey.objects.filter(version__in=lost)
        rows.update(active=False)
        DataKey.current()  # before the others go, so that no version is given out twice
        rows.delete()
        holders = [row.pk for row in Connection.objects.order_by("pk") if row.key_versions() & set(lost)]
    return GivenUp(len(lost), tuple(holders))


def _opens(key: DataKey) -> bool:
    try:
        key.unwrap()
    except MasterKeyWrong:
        return False
    return True
