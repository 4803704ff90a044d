"""References to connections in a task's script and config: `${conn.<id>.<key>}` and `${secret.<name>}`.

Ids and keys may hold dots: `${conn.livy.s3.key}` is the property `key` of the connection `livy.s3` if there is one,
otherwise the property `s3.key` of `livy`. `${secret.<name>}` is the property `value` of the connection `<name>`, of any
type. Any other `${...}` belongs to the script. `kiok.connections.usage` decides which connection a reference reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kiok.connections.errors import MalformedReference
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
