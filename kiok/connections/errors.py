"""What can go wrong with connections.

    KiokError
    └── ConnectionsError            each has a stable `reason`
        ├── MasterKeyMissing        operator: give KIOK_MASTER_KEY
        ├── MasterKeyTooShort       operator: give a longer one
        ├── MasterKeyWrong          operator: give the one the data was stored under
        ├── Tampered                operator: the stored value was altered or moved; enter it again
        ├── InvalidProperty         whoever enters it: a name or value that cannot be stored
        ├── MalformedReference      author: `${conn...}` or `${secret...}` written wrongly
        └── UnknownReference        author or operator: the connection or property does not exist

No message ever holds the value of a property or a key.
"""

from __future__ import annotations

from enum import StrEnum

from kiok.errors import KiokError


class Reason(StrEnum):
    """Stable names, for those who act on an error rather than read it."""

    MASTER_KEY_MISSING = "master_key_missing"  # no master key is configured
    MASTER_KEY_TOO_SHORT = "master_key_too_short"  # it has fewer than 32 characters
    MASTER_KEY_WRONG = "master_key_wrong"  # it does not open the data keys
    TAMPERED = "tampered"  # a stored value does not belong where it is
    INVALID_PROPERTY = "invalid_property"  # a name or value that cannot be stored
    MALFORMED_REFERENCE = "malformed_reference"  # `${conn.x}` without a key, and the like
    UNKNOWN_REFERENCE = "unknown_reference"  # no such connection, or no such property in it


class ConnectionsError(KiokError):
    """Base of this package's errors."""

    reason: Reason


class MasterKeyMissing(ConnectionsError):
    reason = Reason.MASTER_KEY_MISSING

    def __init__(self) -> None:
        super().__init__(
            "no master key: set the environment variable KIOK_MASTER_KEY (32 characters or more, for "
            "example from `openssl rand -base64 48`), or KIOK_MASTER_KEY_FILE to a file that holds it, "
            "and start again"
        )


class MasterKeyTooShort(ConnectionsError):
    reason = Reason.MASTER_KEY_TOO_SHORT

    def __init__(self, found: int, wanted: int) -> None:
        super().__init__(f"KIOK_MASTER_KEY has {found} characters; it needs {wanted} or more")


class MasterKeyWrong(ConnectionsError):
    reason = Reason.MASTER_KEY_WRONG

    def __init__(self, version: int) -> None:
        super().__init__(
            f"KIOK_MASTER_KEY does not open data key {version}: it is not the key under which the "
            "connections were stored (or that row was altered); start with that key"
        )


class Tampered(ConnectionsError):
    reason = Reason.TAMPERED

    def __init__(self, connection: str, name: str) -> None:
        super().__init__(
            f"connection {connection!r}: the stored property {name!r} was altered, or belongs to another "
            "connection, property or key; enter it again"
        )


class InvalidProperty(ConnectionsError):
    reason = Reason.INVALID_PROPERTY


class MalformedReference(ConnectionsError):
    reason = Reason.MALFORMED_REFERENCE


class UnknownReference(ConnectionsError):
    reason = Reason.UNKNOWN_REFERENCE
