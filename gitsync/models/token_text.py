"""API tokens: generated, shown once, and stored as a digest."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta

PREFIX = "kiok_"  # secret scanners recognize leaked tokens by it
RANDOM_BYTES = 32
SHOWN_CHARACTERS = 11  # shown to identify a token: the prefix and 36 of its 256 random bits
DEFAULT_DAYS = 90
MAX_DAYS = 365
USE_NOTED_AFTER = timedelta(minutes=1)  # minimum time between two writes of a token's last use

_TEXT = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")


@dataclass(frozen=True, slots=True)
class NewToken:
    """A new token: its text, which is not stored, and the digest and first characters, which are."""

    text: str
    digest: str
    start: str

    def __repr__(self) -> str:
        return f"NewToken({self.start}…)"


def new() -> NewToken:
    """Return a new random token."""
    text = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    return NewToken(text, digest(text), text[:SHOWN_CHARACTERS])


def digest(text: str) -> str:
    """Return the token's SHA-256 in hexadecimal, its lookup key. A random text needs neither salt nor key stretching."""
    return hashlib.sha256(text.encode()).hexdigest()


def is_token(text: str) -> bool:
    """Return whether the text has the form of a token."""
    return _TEXT.fullmatch(text) is not None
