"""Tokens and passwords as people paste them: refused with what is wrong, since a server says no more than no."""

from __future__ import annotations

import re
import unicodedata

_TOKEN = re.compile(r"[\x21-\x7e]+")


def wrong_token(token: str) -> str:
    """Return what is wrong with a token, "" if nothing: all that git services make are of printable ASCII."""
    if wrong := wrong_ends(token):
        return wrong
    if _TOKEN.fullmatch(token):
        return ""
    at = next(at for at, character in enumerate(token, start=1) if not _TOKEN.fullmatch(character))
    return f"has a {_named(token[at - 1])} as character {at}; a token has none: copy it again"


def wrong_ends(secret: str) -> str:
    """Return what is wrong with the ends of a token or password, "" if nothing."""
    for character, where in ((secret[:1], "begins"), (secret[-1:], "ends")):
        if character and (character.isspace() or unicodedata.category(character) in ("Cc", "Cf")):
            return f"{where} with a {_named(character)}, which was probably copied along; enter it without"
    return ""


def _named(character: str) -> str:
    if character in "\r\n":
        return "line break"
    if character == " ":
        return "blank"
    return "tab" if character == "\t" else f"character U+{ord(character):04X}"
