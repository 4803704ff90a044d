"""Errors of connections.

    KiokError
    └── ConnectionsError            each has a stable `reason`
        ├── MasterKeyMissing        operator: set KIOK_MASTER_KEY
        ├── MasterKeyTooShort       operator: set a longer one
        ├── MasterKeyWrong          operator: set the one that the data was stored with
        ├── MasterKeyUnchanged      operator: set a different new key
        ├── Tampered                operator: the stored value was altered or moved; enter it again
        ├── InvalidProperty         user: the name or value cannot be stored
        └── MalformedReference      author: invalid `${conn...}` or `${secret...}`

No message contains the value of a property or a key.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from kiok.errors import KiokError

# Names of the environment variables, for messages; the settings provide the values.
MASTER_KEY = "KIOK_MASTER_KEY"
NEW_MASTER_KEY = "KIOK_NEW_MASTER_KEY"


class ConnectionReason(StrEnum):
    """The stable name of an error, for programs, with its meaning."""

    meaning: str

    def __new__(cls, value: str, meaning: str = "") -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    MASTER_KEY_MISSING = "master_key_missing", "No master key is configured."
    MASTER_KEY_TOO_SHORT = "master_key_too_short", "The master key has fewer than 32 characters."
    MASTER_KEY_WRONG = "master_key_wrong", "The master key does not decrypt the data keys."
    MASTER_KEY_UNCHANGED = "master_key_unchanged", "The new master key is the same as the current one."
    TAMPERED = "tampered", "A stored value was altered, or belongs to another connection, property or key."
    INVALID_PROPERTY = "invalid_property", "The name or value of a property cannot be stored."
    MALFORMED_REFERENCE = "malformed_reference", "A ${conn...} or ${secret...} is malformed."


class ConnectionsError(KiokError):
    """Base class of this package's errors."""

    reason: ConnectionReason


class MasterKeyMissing(ConnectionsError):
    reason = ConnectionReason.MASTER_KEY_MISSING

    def __init__(self, variable: str = MASTER_KEY) -> None:
        what = "no master key" if variable == MASTER_KEY else "no new master key"
        super().__init__(
            f"{what}: set the environment variable {variable} (32 characters or more, for "
            f"example from `openssl rand -base64 48`), or {variable}_FILE to a file that contains it, "
            "and start again"
        )


class MasterKeyTooShort(ConnectionsError):
    reason = ConnectionReason.MASTER_KEY_TOO_SHORT

    def __init__(self, found: int, wanted: int, variable: str = MASTER_KEY) -> None:
        super().__init__(f"{variable} has {found} characters; it needs {wanted} or more")


class MasterKeyWrong(ConnectionsError):
    reason = ConnectionReason.MASTER_KEY_WRONG

    def __init__(self, version: int) -> None:
        super().__init__(
            f"KIOK_MASTER_KEY does not decrypt data key {version}: it is not the key with which the "
            "connections were stored (or that row was altered); start with the original key"
        )


class MasterKeyUnchanged(ConnectionsError):
    reason = ConnectionReason.MASTER_KEY_UNCHANGED

    def __init__(self) -> None:
        super().__init__(f"{NEW_MASTER_KEY} is the same as {MASTER_KEY}; set it to a different key")


class Tampered(ConnectionsError):
    reason = ConnectionReason.TAMPERED

    def __init__(self, connection: str, name: str) -> None:
        super().__init__(
            f"connection {connection!r}: the stored property {name!r} was altered, or belongs to another "
            "connection, property or key; enter it again"
        )


class InvalidProperty(ConnectionsError):
    reason = ConnectionReason.INVALID_PROPERTY


class MalformedReference(ConnectionsError):
    reason = ConnectionReason.MALFORMED_REFERENCE
