"""Findings of checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class CheckStatus(StrEnum):
    """Severity of a finding."""

    OK = "ok"
    WARN = "warn"  # it works, but needs attention
    FAIL = "fail"  # it does not work, or is not safe


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A finding in one line: `found` describes the state, `remedy` what to do, "" if nothing is to be done.

    Parts of the text come from engines, servers and files. It is plain text, which must be escaped.
    """

    status: CheckStatus
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """A check. `name` is stable, for programs and `--skip`. `look` may raise.

    With `needs_database`, a database that does not respond is a warning, as the check `database` reports the failure.
    """

    name: str
    look: Callable[[], CheckResult]
    needs_database: bool = False


def ok(found: str) -> CheckResult:
    """Return a finding without a problem."""
    return CheckResult(CheckStatus.OK, found)


def warn(found: str, remedy: str) -> CheckResult:
    """Return a finding that needs attention."""
    return CheckResult(CheckStatus.WARN, found, remedy)


def fail(found: str, remedy: str) -> CheckResult:
    """Return a finding about a part that does not work or is not safe."""
    return CheckResult(CheckStatus.FAIL, found, remedy)
