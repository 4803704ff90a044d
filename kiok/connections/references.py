"""References to connections in a task's script and config: `${conn.<id>.<key>}` and `${secret.<name>}`.

Ids and keys may hold dots: `${conn.livy.s3.key}` is the property `key` of the connection `livy.s3` if there is one,
otherwise the property `s3.key` of `livy`. `${secret.<name>}` is the property `value` of the connection `<name>`, of any
type. Any other `${...}` belongs to the script and stays unchanged. Inserted values are not searched for references.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from kiok.connections.errors import MalformedReference, UnknownReference
from kiok.connections.models import Connection
from kiok.placeholders import Part, ReferencePart, TextKind, parse

SECRET_PROPERTY = "value"  # noqa: S105 - a name, not a secret
_MAX_ID = Connection._meta.pk.max_length or 0  # characters


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference: `text` as written, and the connection and property that it names if the property holds no dot."""

    text: str
    connection: str
    property: str
    secret: bool

    def readings(self) -> Iterator[tuple[str, str]]:
        """Yield each (connection, property) that may be meant, the longest id first."""
        if self.secret:
            yield self.connection, self.property
            return
        whole = f"{self.connection}.{self.property}"
        end = len(whole)
        while (end := whole.rfind(".", 0, end)) > 0:
            if end <= _MAX_ID and end + 1 < len(whole):
                yield whole[:end], whole[end + 1 :]


def find(text: str) -> list[Reference]:
    """Return all references of a text, in order, including repeated ones. Raises MalformedReference."""
    return [_reference(part) for part in _parts(text) if isinstance(part, ReferencePart)]


def resolve(text: str) -> str:
    """Return the text with every reference replaced by its value.

    Raises MalformedReference, UnknownReference, and what `Connection.properties` raises.
    """
    return resolve_all({"": text})[""]


def resolve_all(texts: Mapping[str, str]) -> dict[str, str]:
    """Resolve several texts; each connection is read and decrypted only once."""
    parts = {key: _parts(text) for key, text in texts.items()}
    found = (part for some in parts.values() for part in some if isinstance(part, ReferencePart))
    values = _values(map(_reference, found))
    return {
        key: "".join(values[part.text] if isinstance(part, ReferencePart) else part.text for part in some)
        for key, some in parts.items()
    }


def _parts(text: str) -> tuple[Part, ...]:
    parsed = parse(text, TextKind.SCRIPT, None)
    if parsed.problems:
        raise MalformedReference(parsed.problems[0])
    return parsed.parts


def _reference(part: ReferencePart) -> Reference:
    if part.is_secret:
        return Reference(part.text, part.path, SECRET_PROPERTY, secret=True)
    connection, _, name = part.path.rpartition(".")
    return Reference(part.text, connection, name, secret=False)


def _values(wanted: Iterable[Reference]) -> dict[str, str]:
    references = {reference.text: reference for reference in wanted}
    if not references:
        return {}
    ids = {connection for reference in references.values() for connection, _ in reference.readings()}
    found = {c.id: c for c in Connection.objects.filter(id__in=ids)}
    decrypted: dict[str, dict[str, str]] = {}
    values = {}
    for text, reference in references.items():
        reading = next((reading for reading in reference.readings() if reading[0] in found), None)
        if reading is None:
            raise UnknownReference(_no_connection(reference))
        connection, name = found[reading[0]], reading[1]
        if name not in connection.sealed:
            raise UnknownReference(_no_property(text, connection, name))
        if connection.id not in decrypted:
            decrypted[connection.id] = connection.properties()
        values[text] = decrypted[connection.id][name]
    return values


def _no_connection(reference: Reference) -> str:
    kind = "secret" if reference.secret else "connection"
    found = f"there is no {kind} {reference.connection!r}"
    return f"{reference.text}: {found} (needed for its property {reference.property!r})"


def _no_property(text: str, connection: Connection, name: str) -> str:
    near = difflib.get_close_matches(name, connection.property_names(), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{text}: connection {connection.id!r} has no property {name!r}{hint}"
