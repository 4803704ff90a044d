"""A failed file in a notification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReportedFile:
    """A failed file: its path, its first problem, and the link to the line at the git service; "" if it is unknown."""

    path: str
    line: int | None
    message: str
    link: str = ""

    @property
    def place(self) -> str:
        """Return `path:line`, or the path if the line is unknown."""
        return self.path if self.line is None else f"{self.path}:{self.line}"

    def to_json(self) -> Mapping[str, str | int | None]:
        return {"path": self.path, "line": self.line, "message": self.message, "link": self.link}


def listed(files: Sequence[ReportedFile]) -> str:
    """Return `path:line: message` of each file on a line, and its link, if there is one, on the next."""
    return "\n".join(
        f"{file.place}: {file.message}" + (f"\n{file.link}" if file.link else "") for file in files
    )
