"""Links to what a DAG came from, which the metadata store knows by name only."""

from __future__ import annotations

from collections.abc import Callable

from kiok.metadata.admin.cells import NOTHING, link

RepositoryUrl = Callable[[str], str]
"""The address of a repository's page, by its name."""

_repository_url: RepositoryUrl | None = None


def link_repositories(url_of: RepositoryUrl) -> None:
    """Have repositories' names link to pages. Called by the app that has those pages."""
    global _repository_url
    _repository_url = url_of


def repository(name: str) -> str:
    """A repository's name, linked where there is a page."""
    if not name or _repository_url is None:
        return name or NOTHING
    return link(_repository_url(name), name)
