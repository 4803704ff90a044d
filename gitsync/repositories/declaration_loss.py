"""The check for a declaration of repositories that was lost, rather than changed.

An environment variable that is missing after a deployment, a blank value and an emptied file all look like the decision
to remove every repository. So a property whose last repository disappears removes nothing, unless
kiok.gitsync.repos.allow.empty says so; compare `allowEmpty` of Argo CD (https://argo-cd.readthedocs.io/en/stable/user-guide/auto_sync/).
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Count

from gitsync.models import Repository
from kiok.cluster.conf import properties
from kiok.metadata.models import Dag, Origin

DECLARING = ("kiok.gitsync.repos", "kiok.gitsync.repos.file")
ALLOW_EMPTY = "kiok.gitsync.repos.allow.empty"
MAX_NAMED = 20


def refusal(undeclared: Sequence[Repository]) -> str:
    """Return why the undeclared repositories are not removed; "" where they may be.

    `undeclared`: the repositories that were declared, and are in no declaration now. Of a repository from before its source
    was recorded, both properties have to be empty.
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
        f"{where}, so {_named(lost)} would be removed. Nothing was changed, and the repositories keep being synced. "
        f"Restore the declaration; or, to remove them with their DAGs, set {ALLOW_EMPTY}=true"
    )


def missing(declared: Sequence[Repository]) -> str:
    """Return what is wrong where no property declares repositories, though `declared` ones exist; "" without any."""
    if not declared:
        return ""
    return (
        f"neither {' nor '.join(DECLARING)} is set, and {_named(declared)} exist from an earlier declaration. Nothing was "
        "changed, and the repositories keep being synced. Restore the property; or, to remove them with their DAGs, set "
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
    """Return `2 repositories with 3 DAGs (a: 2, b: 1)`."""
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
