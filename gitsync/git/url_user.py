"""The user name in a repository's url: percent-decoded like in git, and never with a password."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes

MAX_USER_CHARACTERS = 128
_WRITTEN = re.compile(r"[A-Za-z0-9_%][A-Za-z0-9._+%@~-]{0,383}")
# Characters of an ssh login name besides letters and digits. "/", "[" and "]" are excluded: git decodes a whole ssh url
# before it splits it, so they could name another host.
_SSH_SIGNS = frozenset("._+%@~\\-")
# Tokens of git services that people paste as a user name: https://<token>@host/...
_TOKEN = re.compile(r"(gh[opsur]_|github_pat_|glpat-|gldt-|ATBB|ATCTT)|[A-Za-z0-9_-]{40,}")


def parse_user(userinfo: str, *, is_web: bool, is_encoded: bool = True) -> str:
    """Return the user name. `is_encoded` is false in scp form, where git does not percent-decode.

    Raises ValueError, which says what is wrong and never repeats the text.
    """
    written, colon, _password = userinfo.partition(":")
    user = _decoded(written) if is_encoded else written
    if colon or ":" in user:
        raise ValueError("contains a password. Put the credential into a connection")
    if is_web and _TOKEN.match(user):
        raise ValueError("seems to contain a token. Put the credential into a connection")
    if is_web:
        is_plain = user.isprintable() and not any(character.isspace() for character in user)
    else:
        is_plain = all(character.isalnum() or character in _SSH_SIGNS for character in user)
    if (
        not _WRITTEN.fullmatch(written)
        or not is_plain
        or user.startswith("-")
        or len(user) > MAX_USER_CHARACTERS
    ):
        raise ValueError("has no user name before the '@', or one with characters that are not allowed")
    return user


def encoded_user(user: str) -> str:
    """Return the user name as encoded in an ssh url."""
    return quote(user, safe="@+~")


def _decoded(written: str) -> str:
    try:
        return unquote_to_bytes(written).decode()
    except UnicodeDecodeError as exc:
        raise ValueError("has a percent-encoded user name that is not UTF-8") from exc
