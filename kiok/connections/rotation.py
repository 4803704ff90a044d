"""Re-encryption of connections under the active data key, and of data keys under a new master key."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from kiok.connections import envelope
from kiok.connections.errors import NEW_MASTER_KEY, ConnectionsError, MasterKeyUnchanged, MasterKeyWrong
from kiok.connections.models import Connection, DataKey, lock_data_keys

BATCH = 50


@dataclass(frozen=True, slots=True)
class Reencrypted:
    """Result of `reencrypt`: connections that were changed, those already current, and errors of the others."""

    changed: int
    current: int
    failures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Result of `give_up`: the number of discarded data keys, and the connections with values that are now unreadable."""

    keys: int
    connections: tuple[str, ...]


def reencrypt() -> Reencrypted:
    """Encrypt every connection under the active data key, `BATCH` rows per transaction.

    If interrupted, it can be run again: finished rows are recognised by their key version. Each row is locked
    while it is rewritten, so a concurrent edit is not lost. A connection that cannot be decrypted is reported
    and does not stop the others. Raises MasterKeyMissing, MasterKeyTooShort or MasterKeyWrong.
    """
    key = DataKey.current()
    key.unwrap()  # with a wrong master key, fail here rather than at each row
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
    """Result of `rewrap`: data keys that were rewrapped, and those already under the new master key."""

    changed: int
    current: int


def rewrap(old: str | None, new: str | None) -> Rewrapped:
    """Rewrap every data key from the old master key to the new one, in one transaction.

    Values stay unchanged, since the data keys do. If it is killed, all data keys are under either the old key or
    the new one; a second run recognises those under the new one. Raises MasterKeyMissing, MasterKeyTooShort,
    MasterKeyUnchanged, or MasterKeyWrong for a data key that neither key decrypts; then nothing has changed.
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
    """Discard the data keys that the current master key does not decrypt, and create a new one; for a lost master key.

    The names of the properties that they encrypt stay, and the values must be entered again. Discards nothing if the
    master key decrypts all of them. Raises MasterKeyMissing or MasterKeyTooShort.
    """
    with transaction.atomic():
        lock_data_keys()
        lost = [key.version for key in DataKey.objects.all() if not _opens(key)]
        if not lost:
            return GivenUp(0, ())
        rows = DataKey.objects.filter(version__in=lost)
        rows.update(active=False)
        DataKey.current()  # before the others are deleted, so that no version is used twice
        rows.delete()
        holders = [row.pk for row in Connection.objects.order_by("pk") if row.key_versions() & set(lost)]
    return GivenUp(len(lost), tuple(holders))


def _opens(key: DataKey) -> bool:
    try:
        key.unwrap()
    except MasterKeyWrong:
        return False
    return True
