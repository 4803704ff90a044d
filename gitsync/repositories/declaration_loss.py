"""Check for a declaration of repositories that was lost rather than changed.

A missing environment variable after a deployment, a blank value and an emptied file are indistinguishable from the
decision to delete every repository. So a property whose last repository disappears deletes nothing, unless
kiok.gitsync.repos.allow.empty is set; compare `allowEmpty` of Argo CD
(https://argo-cd.readthedocs.io/en/stable/user-guide/auto_sync/).
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Count

from gitsync.models import Repository
from kiok.cluster.conf import properties
from kiok.metadata.models import Dag, Origin

DECLARING = ("kiok.gitsync.repos", "kiok.gitsync.repos.file")
ALLOW_EMPTY = "kiok.gitsync.repos.allow.empty"
MAX_NAMED = 20  # repositories named in a message


def refusal(undeclared: Sequence[Repository]) -> str:
    """Return why the undeclared repositories are not deleted, or "" if they may be.

    `undeclared`: repositories that were declared and are in no declaration now. If the source of a repository is not
    recorded, its declaration counts as lost only when both properties are empty.
    """
    config = properties()
    if config.gitsync_repos_allow_empty:
        return ""
    entries = {DECLARING[0]: config.gitsync_repos, DECLARING[1]: config.file_repositories}
    empty = [name for name in DECLARING if not entries[name]]
    lost = [
        row
        for row in undeclared
        if row.declared_source in empty or (not row.declared_source and len(empty) == len(DECLARING))
    ]
    if not lost:
        return ""
    sources = {row.declared_source for row in lost}
    named = [name for name in empty if name in sources] or [name for name in empty if name in config.sources]
    where = " and ".join(_found(name) for name in named)
    return (
        f"{where}, so {_named(lost)} would be deleted. Nothing was changed, and the repositories keep syncing. "
        f"Restore the declaration; or, to delete them with their DAGs, set {ALLOW_EMPTY}=true"
    )


def missing(declared: Sequence[Repository]) -> str:
    """Return a message for `declared` repositories that exist although no property declares any; "" if there are none."""
    if not declared:
        return ""
    return (
        f"neither {' nor '.join(DECLARING)} is set, and {_named(declared)} exist from an earlier declaration. Nothing was "
        "changed, and the repositories keep syncing. Restore the property; or, to delete them with their DAGs, set "
        f"{DECLARING[0]} to an empty value and {ALLOW_EMPTY}=true"
    )


def _found(name: str) -> str:
    """Return the state of a property that declares no repository."""
    config = properties()
    source = config.sources.get(name)
    if source is None:
        return f"{name} is not set"
    if name == DECLARING[1] and config.gitsync_repos_file:
        valid = "valid " if config.invalid_repositories else ""
        return f"the file {config.gitsync_repos_file} ({name}) declares no {valid}repository"
    return f"{name} ({source}) is empty"


def _named(rows: Sequence[Repository]) -> str:
    """Return a text such as `2 repositories with 3 DAGs (a: 2, b: 1)`."""
    counted = dict(
        Dag.objects.filter(origin=Origin.GIT, repository__in=[row.name for row in rows])
        .order_by()
        .values_list("repository")
        .annotate(number=Count("pk"))
    )
    names = sorted(row.name for row in rows)
    listed = [f"{name}: {counted.get(name, 0)}" for name in names[:MAX_NAMED]]
    if len(names) > MAX_NAMED:
        listed.append(f"and {len(names) - MAX_NAMED} more")
    repositories = _number(len(rows), "repository", "repositories")
    dags = _number(sum(counted.values()), "DAG", "DAGs")
    return f"{repositories} with {dags} ({', '.join(listed)})"


def _number(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
