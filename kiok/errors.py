"""Problems in source files as data (`Diagnostic`), and the base class of exceptions.

KiokError
└── (each package derives its own base error from it, and divides its errors by who must act)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

REMEDY = "To remove the DAG of this file, delete the file or list it in .kiokignore"


class KiokError(Exception):
    """Base class of all errors that this project raises on purpose."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A problem in a source file, located as precisely as possible.

    `line` and `column` count from 1. `dag` and `task` are ids as authored, `key` is the
    DagSpec key (or config key) with the problem. `output` is the end of the output that the file printed
    while it was compiled, if it helps (at most 8 KiB).
    """

    message: str
    path: str | None = None
    line: int | None = None
    column: int | None = None
    dag: str | None = None
    task: str | None = None
    key: str | None = None
    output: str | None = None

    def __str__(self) -> str:
        place = ":".join(str(p) for p in (self.path, self.line, self.column) if p is not None)
        subject = ", ".join(
            f"{what} {value!r}"
            for what, value in (("DAG", self.dag), ("task", self.task), ("key", self.key))
            if value is not None
        )
        return ": ".join(part for part in (place, subject, self.message) if part)

    def to_json(self) -> dict[str, Any]:
        """Return the diagnostic as a JSON object; keys with unknown values are omitted."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Diagnostic:
        """Read `to_json`'s form, ignoring unknown keys. Raises TypeError without a message."""
        known: dict[str, Any] = {name: value.get(name) for name in cls.__dataclass_fields__}
        if not isinstance(known["message"], str):
            raise TypeError("a diagnostic needs a message")
        return cls(**known)
