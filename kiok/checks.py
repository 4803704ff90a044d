"""Results of checks: of the installation, of its deployment, of the sandbox, of readiness."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CheckStatus(StrEnum):
    """Severity of a result."""

    OK = "ok"
    WARN = "warn"  # it works, but needs attention
    FAIL = "fail"  # it does not work, or is not safe
    UNKNOWN = "unknown"  # it could not be checked


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of the check `name`: `detail` describes the state, `remedy` what to do, "" if nothing is to be done.

    Parts of the texts come from engines, servers and files. They are plain text, which must be escaped.
    """

    name: str
    status: CheckStatus
    detail: str
    remedy: str = ""

    @property
    def failed(self) -> bool:
        """Return whether something does not work or is not safe."""
        return self.status is CheckStatus.FAIL
