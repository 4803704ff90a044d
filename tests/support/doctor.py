"""Results of the doctor's checks."""

from __future__ import annotations

from kiok.checks import CheckResult, CheckStatus


def outcome(found: CheckResult) -> tuple[str, str]:
    """Return the status and the detail. Assert that every problem has a remedy."""
    assert bool(found.remedy) == (found.status is not CheckStatus.OK)
    return found.status.value, found.detail
