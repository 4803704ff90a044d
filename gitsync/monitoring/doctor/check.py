"""A check of the doctor, and the results that checks return."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kiok.checks import CheckResult, CheckStatus


@dataclass(frozen=True, slots=True)
class Check:
    """A check. `name` is stable, for programs and `--skip`. `look` may raise; its result has no name yet.

    With `needs_database`, a database that does not respond is a warning, as the check `database` reports the failure.
    """

    name: str
    look: Callable[[], CheckResult]
    needs_database: bool = False


def ok(detail: str) -> CheckResult:
    """Return a result without a problem."""
    return CheckResult("", CheckStatus.OK, detail)


def warn(detail: str, remedy: str) -> CheckResult:
    """Return a result that needs attention."""
    return CheckResult("", CheckStatus.WARN, detail, remedy)


def fail(detail: str, remedy: str) -> CheckResult:
    """Return a result for a part that does not work or is not safe."""
    return CheckResult("", CheckStatus.FAIL, detail, remedy)
