"""The hostile files, as data: what each tries, and how it must end.

A hostile file begins with comments that say so:

    # tries: one line, a sentence without its subject; it stands in docs/security.md
    # outcome: failed (unless said otherwise), compiled or not_a_dag
    # expect: a regular expression that the error must hold
    # prints: a regular expression that the file's output must hold, if it matters
    # limit: the time limit of the file in seconds, low for one that only time ends
    # spares: nothing, where a hostile jar takes the sound class in it along
    # host: of a tar, the regular expression of the host's own refusal, if the host could be asked to make it

An attack that succeeds must make its own test fail: the file then ends in silence or with SystemExit, and the
error that is expected does not come.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from compilers.base import FileStatus

FOLDER = Path(__file__).parent
PYTHON = FOLDER / "python"
JARS = FOLDER / "jars"
TARS = FOLDER / "tars"

_HEAD = re.compile(r"(?:#|//) (tries|outcome|expect|prints|limit|spares|host): (.+)\n")


@dataclass(frozen=True)
class Attack:
    """One hostile file. `limit` is its time limit in seconds, None for one that needs none of its own."""

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
        """The file as it is."""
        return self.path.read_text(encoding="utf-8")

    def __str__(self) -> str:
        return self.name


def attacks(folder: Path) -> list[Attack]:
    """Every attack of a folder, by name. Files that begin with an underscore are none. Raises ValueError."""
    return [
        read(path)
        for path in sorted(folder.iterdir())
        if path.suffix in (".py", ".java") and not path.name.startswith("_")
    ]


def read(path: Path) -> Attack:
    """One attack, from its file's head. Raises ValueError when the head is not whole."""
    head = dict(_head(path.read_text(encoding="utf-8")))
    if "tries" not in head:
        raise ValueError(f"{path}: the head says not what it tries")
    outcome = FileStatus(head.get("outcome", "failed"))
    if (outcome is FileStatus.FAILED) != ("expect" in head):
        raise ValueError(f"{path}: an attack that fails, and only such a one, says what error to expect")
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
