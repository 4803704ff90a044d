"""The attacks that end otherwise in gVisor, as data: gvisor.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

FILE = Path(__file__).with_name("gvisor.toml")


@dataclass(frozen=True)
class Difference:
    """Attacks that end otherwise in gVisor for one cause.

    `python` and `jars` have a regular expression for the end of each attack. `why` says why the difference matters, or
    why it does not. `limits` has the time limits in seconds that differ from those in the heads.
    """

    differs: str
    matters: bool
    why: str
    python: Mapping[str, str]
    jars: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)

    @property
    def ends(self) -> Mapping[str, str]:
        """Return the regular expressions of all attacks by name; no jar has the name of a Python file."""
        return {**self.python, **self.jars}


def listed_version() -> str:
    """Return the version of runsc whose differences are listed exactly."""
    return str(tomllib.loads(FILE.read_text("utf-8"))["version"])


def differences() -> Sequence[Difference]:
    """Return all groups in the order of the file."""
    return [Difference(**group) for group in tomllib.loads(FILE.read_text("utf-8"))["group"]]
