"""What a check finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class CheckStatus(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    """It works, and somebody should look at it."""
    FAIL = "fail"
    """Something does not work, or is not safe."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line: `found` is what is there, `remedy` what to do, "" where there is nothing to do.

    Parts of the text come from engines, servers and files: plain text, to be escaped.
    """

    status: CheckStatus
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """`name` is stable, for programs and `--skip`. `look` may raise; `needs_database` says what a database error means."""

    name: str
    look: Callable[[], CheckResult]
    needs_database: bool = False


def ok(found: str) -> CheckResult:
    """All is well."""
    return CheckResult(CheckStatus.OK, found)


def warn(found: str, remedy: str) -> CheckResult:
    """It works, and somebody should look at it."""
    return CheckResult(CheckStatus.WARN, found, remedy)


def fail(found: str, remedy: str) -> CheckResult:
    """It does not work, or is not safe."""
    return CheckResult(CheckStatus.FAIL, found, remedy)
