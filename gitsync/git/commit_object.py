"""Parts of a commit or tag object: its headers, and the facts about a commit that are shown to people.

Everything in an object is untrusted: text of any length, in any encoding, with any characters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from kiok.text import one_line, reveal_hidden

MAX_LINE_BYTES = 8192  # of a line that is decoded; more than any limit of a column
_MAX_TIME = (
    253_370_764_800  # seconds; the year 9999, the last one of Python's dates, in which no time zone overflows
)
# The encodings that a commit may declare. Names of other codecs of Python are not looked up.
_ENCODING = re.compile(
    r"(iso-?8859-\d{1,2}|latin-?1|(windows-|cp)125\d|koi8-[ru]|euc-?(jp|kr)|shift[_-]?jis|gbk|gb2312|gb18030|big5)",
    re.IGNORECASE | re.ASCII,
)
_ADDRESS = re.compile(rb"([^\s@]+)@[^\s@]+")


@dataclass(frozen=True, slots=True)
class CommitFacts:
    """The author's name, the first line of the message, and the time of a commit. Empty where a commit has none.

    The texts are on one line, and hidden characters in them are escaped. The author's address is not part of them.
    """

    author: str = ""
    subject: str = ""
    time: datetime | None = None


NO_FACTS = CommitFacts()


def header_values(content: bytes, name: bytes) -> list[bytes]:
    """Return the values of a header of a commit or tag, with continuation lines joined. The message is not searched."""
    values: list[bytes] = []
    continued = False
    for line in content.partition(b"\n\n")[0].split(b"\n"):
        if continued and line.startswith(b" "):
            values[-1] += b"\n" + line[1:]
            continue
        key, _, value = line.partition(b" ")
        continued = key == name
        if continued:
            values.append(value)
    return values


def facts_of(content: bytes) -> CommitFacts:
    """Return the facts about a commit from the start of its object. Never raises, whatever the object contains."""
    encoding = _encoding(_first(content, b"encoding"))
    message = content.partition(b"\n\n")[2].lstrip()
    return CommitFacts(
        author=_author(_first(content, b"author"), encoding),
        subject=_line(message.split(b"\n", 1)[0], encoding),
        time=_time(_first(content, b"committer")),
    )


def _first(content: bytes, name: bytes) -> bytes:
    return next(iter(header_values(content, name)), b"")


def _author(value: bytes, encoding: str) -> str:
    """Return the name in `Ada Lovelace <ada@example.com> 1700000000 +0100`.

    Some authors configure their address as their name: then it is the part before the `@`.
    """
    name = value.partition(b"<")[0].strip()
    address = _ADDRESS.fullmatch(name)
    return _line(address[1] if address else name, encoding)


def _time(value: bytes) -> datetime | None:
    seconds = value.rpartition(b">")[2].split()[:1]
    if not seconds or not seconds[0].isdigit() or len(seconds[0]) > 12 or int(seconds[0]) > _MAX_TIME:
        return None
    return datetime.fromtimestamp(int(seconds[0]), UTC)


def _encoding(value: bytes) -> str:
    name = value.strip().decode("ascii", "replace")
    return name if _ENCODING.fullmatch(name) else "utf-8"


def _line(raw: bytes, encoding: str) -> str:
    """Return text on one line. Bytes that are not of the encoding become U+FFFD."""
    raw = raw.strip()[:MAX_LINE_BYTES]
    try:
        text = raw.decode(encoding, "replace")
    except LookupError:  # such as iso-8859-99
        text = raw.decode("utf-8", "replace")
    return one_line(reveal_hidden(text))
