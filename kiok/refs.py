"""References to connections and secrets.

The compiled DAG keeps them unchanged, and they are resolved only when a task runs, so that no secret
is ever written to a repository, a DagSpec or a compile log.
"""

from __future__ import annotations

import re

# Patterns of connection ids and property names; `kiok.connections` uses the same ones.
CONNECTION_ID = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
PROPERTY = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9_-])?"
FORMS = {"conn": "${conn.<id>.<key>}", "secret": "${secret.<name>}"}

# Both parts of a reference to a connection may hold dots: the longest id of a connection that exists is meant.
WELL_FORMED = {
    "conn": re.compile(rf"{CONNECTION_ID}\.{PROPERTY}"),
    "secret": re.compile(CONNECTION_ID),
}

_CONNECTION_ID = re.compile(r"[^\s.{}$]+")
_NAME = re.compile(r"[^\s{}$]+")


def conn(id: str, key: str) -> str:
    """Return `${conn.<id>.<key>}`, a reference to the property `key` of the connection `id`.

    Raises ValueError for a part that is not allowed in a reference (empty, white space, `{`, `}` or `$`; in
    the id also `.`, which would end it).
    """
    return f"${{conn.{_part(_CONNECTION_ID, 'connection id', id)}.{_part(_NAME, 'connection key', key)}}}"


def secret(name: str) -> str:
    """Return `${secret.<name>}`, a reference to the secret `name`. Raises ValueError as `conn` does."""
    return f"${{secret.{_part(_NAME, 'secret name', name)}}}"


def _part(allowed: re.Pattern[str], what: str, value: object) -> str:
    if not isinstance(value, str) or not allowed.fullmatch(value):
        dot = ", '.'" if allowed is _CONNECTION_ID else ""
        raise ValueError(
            f"the {what} {value!r} cannot be part of a reference: "
            f"give a non-empty string without white space, '{{', '}}', '$'{dot}"
        )
    return str.__str__(value)
