"""References to connections in a task's script and config: `${conn.<id>.<key>}` and `${secret.<name>}`.

`${conn.a.b.password}` is the property `password` of the connection `a.b`: keys hold no dot, ids may.
`${secret.<name>}` is the property `value` of the connection `<name>`, which must be of type `secret`.
Any other `${...}` belongs to the script and stays unchanged. Inserted values are not searched for references.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kiok.connections.errors import MalformedReference, UnknownReference
from kiok.connections.models import ID_PATTERN, PROPERTY_NAME, Connection

SECRET_PROPERTY = "value"  # noqa: S105 - a name, not a secret

_REFERENCE = re.compile(r"\$\{(conn|secret)\.([^{}\n]*)\}")
_CONN = re.compile(rf"({ID_PATTERN})\.({PROPERTY_NAME.pattern})")
_SECRET = re.compile(ID_PATTERN)


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference: `text` as written, and the connection and property that it names."""

    text: str
    connection: str
    property: str
    secret: bool


def find(text: str) -> list[Reference]:
    """Return all references of a text, in order, including repeated ones. Raises MalformedReference."""
    return [_reference(match) for match in _REFERENCE.finditer(text)]


def resolve(text: str) -> str:
    """Return the text with every reference replaced by its value.

    Raises MalformedReference, UnknownReference, and what `Connection.properties` raises.
    """
    return resolve_all({"": text})[""]


def resolve_all(texts: Mapping[str, str]) -> dict[str, str]:
    """Resolve several texts; each connection is read and decrypted only once."""
    wanted = [reference for text in texts.values() for reference in find(text)]
    values = _values(wanted)
    return {key: _REFERENCE.sub(lambda match: values[match.group()], text) for key, text in texts.items()}


def _reference(match: re.Match[str]) -> Reference:
    text, kind, rest = match.group(), match.group(1), match.group(2)
    if kind == "conn" and (parts := _CONN.fullmatch(rest)):
        return Reference(text, parts.group(1), parts.group(2), secret=False)
    if kind == "secret" and _SECRET.fullmatch(rest):
        return Reference(text, rest, SECRET_PROPERTY, secret=True)
    form = "${conn.<id>.<key>}" if kind == "conn" else "${secret.<name>}"
    raise MalformedReference(f"{text[:120]!r} is not a valid reference; expected {form}")


def _values(wanted: Iterable[Reference]) -> dict[str, str]:
    references = {reference.text: reference for reference in wanted}
    found = {c.id: c for c in Connection.objects.filter(id__in={r.connection for r in references.values()})}
    decrypted: dict[str, dict[str, str]] = {}
    values = {}
    for text, reference in references.items():
        connection = found.get(reference.connection)
        if connection is None or (reference.secret and connection.type != Connection.Type.SECRET):
            raise UnknownReference(_no_connection(reference, connection))
        if reference.property not in connection.sealed:
            raise UnknownReference(_no_property(reference, connection))
        if connection.id not in decrypted:
            decrypted[connection.id] = connection.properties()
        values[text] = decrypted[connection.id][reference.property]
    return values


def _no_connection(reference: Reference, connection: Connection | None) -> str:
    kind = "secret" if reference.secret else "connection"
    if connection is not None:
        found = f"connection {connection.id!r} is of type {connection.type!r}, not 'secret'"
    else:
        found = f"there is no {kind} {reference.connection!r}"
    return f"{reference.text}: {found} (needed for its property {reference.property!r})"


def _no_property(reference: Reference, connection: Connection) -> str:
    near = difflib.get_close_matches(reference.property, connection.property_names(), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return (
        f"{reference.text}: connection {reference.connection!r} has no property {reference.property!r}{hint}"
    )
