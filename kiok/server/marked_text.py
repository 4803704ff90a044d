"""Generated text in a document, between two markers that stay: `<!-- NAME: HOW -->` and `<!-- end of NAME -->`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path


def replaced(document: str, name: str, content: str) -> str:
    """Return the document with `content` between the markers of `name`. Raise ValueError without them."""
    markers = re.compile(
        rf"(^<!-- {re.escape(name)}: [^\n]* -->\n).*?(^<!-- end of {re.escape(name)} -->$)",
        re.MULTILINE | re.DOTALL,
    )
    if not markers.search(document):
        raise ValueError(f"the document has no <!-- {name}: ... --> with <!-- end of {name} --> below it")
    content = content.strip("\n")
    return markers.sub(lambda found: f"{found[1]}\n{content}\n\n{found[2]}", document, count=1)


def write(path: Path, name: str, content: str) -> None:
    """Write `content` between the markers of `name` in a file. Raise ValueError without the markers."""
    path.write_text(replaced(path.read_text(encoding="utf-8"), name, content), encoding="utf-8")


def is_current(path: Path, name: str, content: str) -> bool:
    """Return whether a file has `content` between the markers of `name`. Raise ValueError without them."""
    text = path.read_text(encoding="utf-8")
    return replaced(text, name, content) == text


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a Markdown table. A `|` in a cell is escaped."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
