"""Who signed, and why a signature does not count."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

_MAX_NAME = 200


class SignatureKind(StrEnum):
    """The forms of signature that can be verified."""

    OPENPGP = "openpgp"
    SSH = "ssh"


@dataclass(frozen=True, slots=True)
class Signer:
    """Whose signature was found good.

    `name` is the key's user id (OpenPGP) or principal (ssh) as the trusted keys have it. `fingerprint` is that of the
    primary key in hexadecimal (OpenPGP), or `SHA256:...` (ssh).
    """

    kind: SignatureKind
    name: str
    fingerprint: str


class RefusalError(Exception):
    """The signature does not count; the message says why, after "its signature".

    `judged` is False where the verification did not come to a verdict at all.
    """

    def __init__(self, why: str, *, judged: bool = True) -> None:
        super().__init__(why)
        self.judged = judged


def shown(name: str) -> str:
    """A name for a message: printable, on one line, at most 200 characters."""
    return "".join(character if character.isprintable() else "?" for character in name)[:_MAX_NAME]
