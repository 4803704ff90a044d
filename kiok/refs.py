"""References to connections and secrets.

The compiled DAG keeps them unchanged, and they are resolved only when a task runs, so that no secret
is ever written to a repository, a DagSpec or a compile log.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kiok.text import shown

# Patterns of connection ids and property names; `kiok.connections` uses the same ones.
CONNECTION_ID = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
PROPERTY = r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}"
FORMS = {"conn": "${conn.<id>.<key>}", "secret": "${secret.<name>}"}
MAX_MALFORMED = 20  # maximum of problems reported for one text

_WELL_FORMED = {
    "conn": re.compile(rf"{CONNECTION_ID}\.{PROPERTY}"),
    "secret": re.compile(CONNECTION_ID),
}
# `$${conn...` is an escape in other template languages; `${conn_x}` and `${secretary}` are shell variables.
_BEGINNING = re.compile(r"(?<!\$)\$\{(conn|secret)(\.|\})")
_REST = re.compile(r"([^{}\n]*)\}")
_UNCLOSED = re.compile(r"[^{}\s\"'`;,)]*")

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


def malformed_references(text: str, *, is_script: bool) -> Iterator[str]:
    """Yield what is wrong with each reference of a script or config value, at most 20.

    Checks text that begins with `${conn.` or `${secret.`, and in a config value also `${conn}` and `${secret}`, which
    are variables in a script.
    """
    count = 0
    for found in _BEGINNING.finditer(text) if "${" in text else ():
        kind, after = found[1], found[2]
        if after == "}":
            written, wrong = found[0], "" if is_script else "it names nothing"
            meant = ""
        else:
            written, wrong, meant = _flaw(text, found)
        if not wrong:
            continue
        line = text.count("\n", 0, found.start()) + 1
        place = f" (line {line} of the text)" if "\n" in text.rstrip("\n") else ""
        near = f"; did you mean {meant}?" if meant else ""
        yield f"{shown(written)}{place} is not a valid reference: {wrong}; allowed: {FORMS[kind]}{near}"
        count += 1
        if count == MAX_MALFORMED:
            return


def _flaw(text: str, found: re.Match[str]) -> tuple[str, str, str]:
    """Return (the reference as written, what is wrong with it or "", what may have been meant or "")."""
    kind = found[1]
    rest = _REST.match(text, found.end())
    if rest is None:
        unclosed = _UNCLOSED.match(text, found.end())
        inner = unclosed[0] if unclosed else ""
        meant = f"${{{kind}.{inner}}}" if _WELL_FORMED[kind].fullmatch(inner) else ""
        return f"{found[0]}{inner}", "it is not closed by '}', or contains another one", meant
    inner = rest[1]
    written = f"{found[0]}{inner}}}"
    if _WELL_FORMED[kind].fullmatch(inner):
        return written, "", ""
    if kind == "conn":
        wrong = "an id, '.' and a key must follow 'conn.'"
        if re.fullmatch(CONNECTION_ID, inner) and "." not in inner:
            return written, "the key of the connection is missing", f"${{conn.{inner}.<key>}}"
    else:
        wrong = "a name must follow 'secret.'"
    repaired = re.sub(r"[/:]", ".", re.sub(r"\s+", "", inner))
    meant = f"${{{kind}.{repaired}}}" if _WELL_FORMED[kind].fullmatch(repaired) else ""
    return written, wrong, meant


def _part(allowed: re.Pattern[str], what: str, value: object) -> str:
    if not isinstance(value, str) or not allowed.fullmatch(value):
        dot = ", '.'" if allowed is _CONNECTION_ID else ""
        raise ValueError(
            f"the {what} {value!r} cannot be part of a reference: "
            f"give a non-empty string without white space, '{{', '}}', '$'{dot}"
        )
    return str.__str__(value)
