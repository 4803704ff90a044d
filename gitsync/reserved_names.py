"""Names that a new repository cannot have, besides those of others."""

from __future__ import annotations

from typing import Any

from gitsync.access import sees_all
from kiok.metadata.models import Dag, DagRun, DagVersion


def why_reserved(user: Any, name: str) -> str:
    """Why the user cannot give a new repository this name, "" if it can.

    Versions and runs outlive their repository, and are seen by whoever sees a repository of its name. So who does
    not see all cannot take up a name with a history.
    """
    if not name or sees_all(user):
        return ""
    kept = (table.objects.filter(repository=name).exists() for table in (DagVersion, DagRun, Dag))
    if not any(kept):
        return ""
    return (
        f"DAGs of a repository {name!r} that was removed have a history, which a new one of that name would go on "
        "with. Choose another name, or have it added by somebody who may see the repositories of every group."
    )
