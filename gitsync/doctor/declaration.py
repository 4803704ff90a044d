"""Declared repositories: whether every declaration can be followed."""

from __future__ import annotations

from gitsync.conf import properties
from gitsync.doctor.finding import Finding, fail, ok
from gitsync.models import ManagedBy, Repository

MAX_NAMED = 5


def declaration() -> Finding:
    """Report invalid declarations of this process's configuration, and those that workers could not follow."""
    found = [str(invalid) for invalid in properties().invalid_repositories]
    named = {invalid.name for invalid in properties().invalid_repositories}
    declared = Repository.objects.filter(managed_by=ManagedBy.CONFIG)
    refused = declared.exclude(declaration_problem="").exclude(name__in=named)
    found += [f"{row.name}: {row.declaration_problem}" for row in refused.order_by("name")]
    if not found:
        return ok(f"{declared.count()} declared repositories")
    more = f"; and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
    return fail(
        f"{len(found)} problems of declared repositories: {'; '.join(found[:MAX_NAMED])}{more}",
        "Correct what the message names, and restart the service; the other repositories are synced.",
    )
