"""Facts about commits for rows that are written without a sync."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

HOSTILE = "<b>&\"' very long words without any blank " + "x" * 200
SHA = "0123456789abcdef0123456789abcdef01234567"
SUBJECTS = (
    "Fix the load",
    ("Reconcile bank statements by currency and product line " * 5).strip(),
    "x" * 300,
)
AUTHORS = ("Ada", "Grace Brewster Murray Hopper-Lovelace of the data platform")


def hostile_facts(when: datetime) -> dict[str, Any]:
    """Return columns whose texts are markup, and as long as they can be."""
    return {"commit_author": HOSTILE[:200], "commit_subject": HOSTILE, "commit_time": when}


def commit_facts(number: int, when: datetime) -> dict[str, Any]:
    """Return the columns of a commit from before `when`. Some have none, like rows that an old version wrote."""
    if number % 7 == 6:
        return {}
    return {
        "commit_author": AUTHORS[number % len(AUTHORS)],
        "commit_subject": SUBJECTS[number % len(SUBJECTS)],
        "commit_time": when - timedelta(hours=3),
    }
