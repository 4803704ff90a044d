"""The held commit on a repository's page; see `gitsync.sync.empty_hold`. Accepting it requests a sync: see `asking`.

Like a sync, it needs only the permission to change repositories, for declared repositories too.
"""

from __future__ import annotations

from typing import Any

from gitsync.admin import git_links
from gitsync.models import Repository
from gitsync.sync.empty_hold import every_dag, hold_of

MAY_CHANGE = "gitsync.change_repository"


def held_context(user: Any, repository: Repository) -> dict[str, Any] | None:
    """Return the variables of held.html for a repository; None if it holds no commit."""
    hold = hold_of(repository)
    if hold is None:
        return None
    return {
        "id": hold.commit,
        "commit": git_links.whole_commit(repository, hold.commit),
        "dags": every_dag(hold.dags),
        "accepted_by": hold.accepted_by,
        "may_accept": user.has_perm(MAY_CHANGE),
    }
