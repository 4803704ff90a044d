"""The hostile files as data: what each attempts, and how it must end.

A hostile file begins with comments:

    # tries: one line, a sentence without its subject; it is shown in docs/security.md
    # outcome: failed (the default), compiled or not_a_dag
    # expect: a regular expression that the error must match
    # prints: a regular expression that the file's output must match, if it matters
    # limit: the time limit of the file in seconds, low for a file that only the time limit ends
    # spares: nothing, if a hostile jar also makes the valid class in it fail
    # host: for a tar, a regular expression of the host's own refusal, if the host could be made to create it

An attack that succeeds must make its own test fail: the file then ends without output or with SystemExit, and the
expected error is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from compilers.result import FileStatus

FOLDER = Path(__file__).parent
PYTHON = FOLDER / "python"
JARS = FOLDER / "jars"
TARS = FOLDER / "tars"

_HEAD = re.compile(r"(?:#|//) (tries|outcome|expect|prints|limit|spares|host): (.+)\n")


@dataclass(frozen=True)
class Attack:
    """A hostile file. `limit` is its time limit in seconds, None for the default."""

    name: str
    path: Path
    tries: str
    outcome: FileStatus = FileStatus.FAILED
    expect: str = ""
    prints: str = ""
    limit: float | None = None
    spares: str = ""
    host: str = ""

    @property
    def text(self) -> str:
        """Return the text of the file."""
        return self.path.read_text(encoding="utf-8")

    def __str__(self) -> str:
        return self.name


def attacks(folder: Path) -> list[Attack]:
    """Return every attack of a folder, by name, without files that begin with an underscore. Raises ValueError."""
    return [
        read(path)
        for path in sorted(folder.iterdir())
        if path.suffix in (".py", ".java") and not path.name.startswith("_")
    ]


def read(path: Path) -> Attack:
    """Return the attack that the head of a file describes. Raises ValueError if the head is incomplete."""
    head = dict(_head(path.read_text(encoding="utf-8")))
    if "tries" not in head:
        raise ValueError(f"{path}: the head does not say what the file tries")
    outcome = FileStatus(head.get("outcome", "failed"))
    if (outcome is FileStatus.FAILED) != ("expect" in head):
        raise ValueError(f"{path}: an attack that fails, and only such an attack, needs an expected error")
    limit = head.get("limit")
    return Attack(
        name=path.stem,
        path=path,
        tries=head["tries"],
        outcome=outcome,
        expect=head.get("expect", ""),
        prints=head.get("prints", ""),
        limit=None if limit is None else float(limit),
        spares=head.get("spares", ""),
        host=head.get("host", ""),
    )


def _head(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while found := _HEAD.match(text, at):
        yield found[1], found[2].strip()
        at = found.end()
