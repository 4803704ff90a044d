"""Parser of the text in which an administrator enters properties.

    # a comment
    username=deploy
    password=any characters up to the end of the line
    -oldToken
    privateKey=-----BEGIN OPENSSH PRIVATE KEY-----
    ...
    -----END OPENSSH PRIVATE KEY-----
    knownHosts=<<END
    git.example.com ssh-ed25519 AAAA...
    END

A value that begins with `<<WORD` continues from the next line to a line that is only WORD; a value that begins a PEM
block continues to the end of the block. Each of their lines ends with a line break, as in the original files.
`-name` removes a property. Blank lines and lines that begin with `#` are skipped. Messages contain line numbers and
property names, never values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kiok.connections.errors import InvalidProperty

HELP = (
    "One property per line, name=value. For a value of several lines: name=<<END, the lines, END; or paste a PEM "
    "block after name=. A line -name removes a property. Stored values are never shown; properties that are not "
    "named here stay unchanged. For git over ssh: privateKey, knownHosts, passphrase. "
    "Over https: username and password, or token. To verify signatures: openpgpKeys, allowedSigners. "
    "A secret has its text in the property value."
)

_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\s*")
_BYTE_ORDER_MARK = "\ufeff"  # some editors put it at the beginning of a file
_HEREDOC = re.compile(r"<<([A-Za-z0-9_]+)\s*")


@dataclass(frozen=True, slots=True)
class PropertyChanges:
    """Properties to set (name to value) and to remove. Its repr shows no value."""

    set: Mapping[str, str] = field(default_factory=dict, repr=False)
    remove: frozenset[str] = frozenset()


def parse(text: str) -> PropertyChanges:
    """Parse the text. Raises InvalidProperty with the line number of the error."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace(_BYTE_ORDER_MARK, "").split("\n")
    values: dict[str, str] = {}
    remove: set[str] = set()
    index = 0
    while index < len(lines):
        line, number = lines[index], index + 1
        index += 1
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        name = name.strip()
        if line.lstrip().startswith("-") and not line.lstrip().startswith("-----"):
            name = line.strip().removeprefix("-").strip()
            if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
                raise InvalidProperty(f"line {number}: to remove a property, write -name")
            _once(name, number, values, remove)
            remove.add(name)
            continue
        if not equals or not name:
            raise InvalidProperty(f"line {number}: expected name=value")
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}", name):
            # The text is not shown: if a line was broken in two, it may be half a secret.
            raise InvalidProperty(
                f"line {number}: the property name before = may have only letters, digits, underscore and dash"
            )
        _once(name, number, values, remove)
        if value.strip().startswith("PuTTY-User-Key-File-"):
            raise InvalidProperty(
                f"line {number}: {name!r} is a key in PuTTY format (.ppk); convert it with: "
                "puttygen KEY.ppk -O private-openssh -o KEY"
            )
        if not value.strip() and (begin := _pem_after(lines, index)) is not None:
            value = lines[begin]
            index = begin + 1
        end = _end(value)
        if end is None:
            values[name] = value
            continue
        body = [value.strip()] if end.startswith("-----") else []
        while True:
            if index == len(lines):
                raise InvalidProperty(
                    f"line {number}: the value of {name!r} has no end; expected a line {end!r}"
                )
            line = lines[index]
            index += 1
            if line.strip() == end:
                break
            body.append(line)
        if end.startswith("-----"):
            body.append(end)
        values[name] = "".join(part + "\n" for part in body)
    return PropertyChanges(values, frozenset(remove))


def _pem_after(lines: Sequence[str], index: int) -> int | None:
    """Return the next line from `index` on that is not blank, if it begins a PEM block; else None."""
    for number in range(index, len(lines)):
        if lines[number].strip():
            return number if _PEM.fullmatch(lines[number].strip()) else None
    return None


def _end(value: str) -> str | None:
    """Return the line that ends a multi-line value; None for a value of one line."""
    if match := _PEM.fullmatch(value.strip()):
        return f"-----END {match.group(1)}-----"
    if match := _HEREDOC.fullmatch(value.strip()):
        return match.group(1)
    return None


def _once(name: str, number: int, values: Mapping[str, str], remove: set[str]) -> None:
    if name in values or name in remove:
        raise InvalidProperty(f"line {number}: property {name!r} is duplicated")
