"""What can go wrong, as data (`Diagnostic`) and as exceptions.

KiokError
└── (each package derives its own base error from it, split by who must act)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

REMEDY = "To remove the DAG that the file gave, delete the file or list it in .kiokignore"


class KiokError(Exception):
    """Base of every error this project raises on purpose."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem in one source file, located as exactly as is known.

    `line` and `column` count from 1. `dag` and `task` are ids as authored, `key` is the
    DagSpec key (or config key) at fault. `output` is the tail of what the file printed
    while it was compiled, where that helps (at most 8 KiB).
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
        """The diagnostic as a JSON object; keys whose value is unknown are left out."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Diagnostic:
        """Read back `to_json`'s form, ignoring unknown keys. Raises TypeError without a message."""
        known: dict[str, Any] = {name: value.get(name) for name in cls.__dataclass_fields__}
        if not isinstance(known["message"], str):
            raise TypeError("a diagnostic needs a message")
        return cls(**known)
