"""Results of the doctor's checks."""

from __future__ import annotations

from kiok.checks import CheckResult, CheckStatus


def outcome(found: CheckResult) -> tuple[str, str]:
    """Status and text; what is not well always comes with what to do."""
    assert bool(found.remedy) == (found.status is not CheckStatus.OK)
    return found.status.value, found.detail
