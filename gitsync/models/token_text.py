"""Tokens: made once, shown once, known by their digest."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta

PREFIX = "kiok_"
"""By it secret scanners know a token that was left in a repository or a log."""
RANDOM_BYTES = 32
SHOWN_CHARACTERS = 11
"""Of a token, to know it by: the prefix and 36 of its 256 random bits."""
DEFAULT_DAYS = 90
MAX_DAYS = 365
USE_NOTED_AFTER = timedelta(minutes=1)
"""A token's last use is written at most this often."""

_TEXT = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token's text, which nobody keeps, and what is kept instead."""

    text: str
    digest: str
    start: str

    def __repr__(self) -> str:
        return f"NewToken({self.start}…)"


def new() -> NewToken:
    """A token that nobody has seen."""
    text = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    return NewToken(text, digest(text), text[:SHOWN_CHARACTERS])


def digest(text: str) -> str:
    """What the token is looked up by: sha256 in hexadecimal. The text is random, so it needs no salt and no stretching."""
    return hashlib.sha256(text.encode()).hexdigest()


def is_token(text: str) -> bool:
    """Whether it has a token's form."""
    return _TEXT.fullmatch(text) is not None
