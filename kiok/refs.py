"""References to connections and secrets.

They stay as they are in the compiled DAG and are resolved only when a task runs, so that no secret
is ever written to a repository, a DagSpec or a log of compilation.
"""

from __future__ import annotations

import re

_CONNECTION_ID = re.compile(r"[^\s.{}$]+")
_NAME = re.compile(r"[^\s{}$]+")


def conn(id: str, key: str) -> str:
    """`${conn.<id>.<key>}`: the property `key` of the connection `id`.

    Raises ValueError for a part that no reference can hold (blank, white space, `{`, `}` or `$`; in
    the id also `.`, which would end it).
    """
    return f"${{conn.{_part(_CONNECTION_ID, 'connection id', id)}.{_part(_NAME, 'connection key', key)}}}"


def secret(name: str) -> str:
    """`${secret.<name>}`: the secret `name`. Raises ValueError as `conn` does."""
    return f"${{secret.{_part(_NAME, 'secret name', name)}}}"


def _part(allowed: re.Pattern[str], what: str, value: object) -> str:
    if not isinstance(value, str) or not allowed.fullmatch(value):
        dot = ", '.'" if allowed is _CONNECTION_ID else ""
        raise ValueError(
            f"the {what} {value!r} cannot be part of a reference: "
            f"give a non-empty string without white space, '{{', '}}', '$'{dot}"
        )
    return str.__str__(value)
