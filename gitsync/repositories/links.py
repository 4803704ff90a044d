"""Links to a commit, a file, or the difference of two commits on the web pages of a repository's git service.

`gitsync.git_services.registry.page_at` says which service that is. Without one, there is no link. Links are https, without
credentials, and percent-encoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from gitsync.git_services.base import GitService, WebPage
from gitsync.git_services.registry import is_plain, is_self_hosted, page_at
from gitsync.models import Delivery, DeliveryOutcome, Repository

_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_UNPROVEN = (DeliveryOutcome.UNSIGNED, DeliveryOutcome.SIGNATURE, DeliveryOutcome.SECRET)


def webhook_steps(repository: Repository) -> str:
    """Return how a webhook is added at the repository's git service; "" if the service is unknown."""
    found = _page(repository)
    return found[0].webhook_steps if found else ""


def commit_url(repository: Repository, sha: str) -> str:
    """Return the URL of a commit's page, or "" if it is unknown."""
    found = _page(repository)
    if found is None or not _SHA.fullmatch(sha):
        return ""
    service, page = found
    return service.commit_url(page, sha)


def file_url(repository: Repository, sha: str, path: str, line: int | None = None) -> str:
    """Return the URL of a file's page at a commit, and at a line (from 1) if given; "" if it is unknown."""
    found = _page(repository)
    if found is None or not _SHA.fullmatch(sha) or not is_plain(path):
        return ""
    service, page = found
    return service.file_url(page, sha, path, None if line is None or line < 1 else line)


def compare_url(repository: Repository, from_sha: str, to_sha: str) -> str:
    """Return the URL of the comparison of two commits; "" if it is unknown or the commits are the same."""
    found = _page(repository)
    if found is None or from_sha == to_sha or not (_SHA.fullmatch(from_sha) and _SHA.fullmatch(to_sha)):
        return ""
    service, page = found
    return service.compare_url(page, from_sha, to_sha)


def source_url(repository_name: str, commit: str, path: str) -> str:
    """Return the `file_url` for a repository's name, or "" if the repository does not exist. Two queries at most."""
    repository = _named(repository_name)
    return file_url(repository, commit, path) if repository else ""


def named_commit_url(repository_name: str, commit: str) -> str:
    """Return the `commit_url` for a repository's name, or "" if the repository does not exist. Two queries at most."""
    repository = _named(repository_name)
    return commit_url(repository, commit) if repository else ""


def load_senders(repositories: Iterable[Repository]) -> None:
    """Store on each row which service signed its last webhook. One query at most.

    Deliveries that did not prove knowledge of the secret are ignored.
    """
    rows = [row for row in repositories if is_self_hosted(row.url)]
    if not rows:
        return
    newest = (
        Delivery.objects.filter(repository__in={row.pk for row in rows})
        .exclude(service="")
        .exclude(outcome__in=_UNPROVEN)
        .order_by("repository_id", "-id")
        .distinct("repository_id")
    )
    services = dict(newest.values_list("repository_id", "service"))
    for row in rows:
        row.delivered_by = services.get(row.pk, "")  # type: ignore[attr-defined]  # no column


def _named(name: str) -> Repository | None:
    repository = Repository.objects.filter(name=name).only("pk", "url").first()
    if repository is not None:
        load_senders([repository])
    return repository


def _page(repository: Repository) -> tuple[GitService, WebPage] | None:
    return page_at(repository.url, getattr(repository, "delivered_by", ""))
