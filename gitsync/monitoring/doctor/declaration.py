"""Check of the declared repositories: every declaration is valid and applied."""

from __future__ import annotations

from gitsync.models import DeclarationState, ManagedBy, Repository
from gitsync.monitoring.doctor.check import fail, ok
from kiok.checks import CheckResult
from kiok.cluster.conf import properties

MAX_NAMED = 5


def declaration() -> CheckResult:
    """Report a declaration that the leader does not apply, that is invalid here, or that workers could not apply."""
    lost = DeclarationState.objects.filter(pk=1).values_list("problem", flat=True).first()
    if lost:
        return fail(
            f"the leader does not apply the declaration: {lost}",
            "Do what the message says, and restart the service.",
        )
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
        "Correct these declarations and restart the service. The other repositories are synced.",
    )
