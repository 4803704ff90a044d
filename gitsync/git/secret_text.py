"""Checks of tokens and passwords as people paste them, since a server does not say what is wrong with them."""

from __future__ import annotations

import unicodedata


def wrong_token(token: str) -> str:
    """Return the error of a token, or "": it must contain no invisible character, and no space at its ends."""
    if wrong := wrong_ends(token):
        return wrong
    for at, character in enumerate(token, start=1):
        if character != " " and _is_invisible(character):
            return f"has a {_named(character)} as character {at}, which no token has. Copy it again"
    return ""


def wrong_ends(secret: str) -> str:
    """Return the error at the ends of a token or password, or ""."""
    for character, where in ((secret[:1], "begins"), (secret[-1:], "ends")):
        if character and _is_invisible(character):
            return f"{where} with a {_named(character)}, probably copied by mistake. Enter it without"
    return ""


def _is_invisible(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) in ("Cc", "Cf")


def _named(character: str) -> str:
    if character in "\r\n":
        return "line break"
    if character == " ":
        return "space"
    return "tab" if character == "\t" else f"character U+{ord(character):04X}"
