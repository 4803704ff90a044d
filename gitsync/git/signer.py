"""The signer of a verified signature, and the refusal of a signature."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from kiok.text import printable

_MAX_NAME = 200


class SignatureKind(StrEnum):
    """The supported signature formats."""

    OPENPGP = "openpgp"
    SSH = "ssh"


@dataclass(frozen=True, slots=True)
class Signer:
    """The signer of a valid signature.

    `name` is the user id (OpenPGP) or principal (ssh) of the trusted key. `fingerprint` is that of the primary key in
    hexadecimal (OpenPGP), or `SHA256:...` (ssh).
    """

    kind: SignatureKind
    name: str
    fingerprint: str


class RefusalError(Exception):
    """The signature is not accepted. The message is the reason, to be appended to "its signature".

    `judged` is False if the verification reached no verdict.
    """

    def __init__(self, why: str, *, judged: bool = True) -> None:
        super().__init__(why)
        self.judged = judged


def shown(name: str) -> str:
    """Return a name for a message: printable, on one line, at most 200 characters."""
    return printable(name, "?")[:_MAX_NAME]
