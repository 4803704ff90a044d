"""Tokens and passwords as people paste them: refused with what is wrong, since a server says no more than no."""

from __future__ import annotations

import unicodedata


def wrong_token(token: str) -> str:
    """Return what is wrong with a token, "" if nothing: nothing invisible may be in it, and no blank at its ends."""
    if wrong := wrong_ends(token):
        return wrong
    for at, character in enumerate(token, start=1):
        if character != " " and _is_invisible(character):
            return f"has a {_named(character)} as character {at}; a token has none: copy it again"
    return ""


def wrong_ends(secret: str) -> str:
    """Return what is wrong with the ends of a token or password, "" if nothing."""
    for character, where in ((secret[:1], "begins"), (secret[-1:], "ends")):
        if character and _is_invisible(character):
            return f"{where} with a {_named(character)}, which was probably copied along; enter it without"
    return ""


def _is_invisible(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) in ("Cc", "Cf")


def _named(character: str) -> str:
    if character in "\r\n":
        return "line break"
    if character == " ":
        return "blank"
    return "tab" if character == "\t" else f"character U+{ord(character):04X}"
