"""Links to what a DAG came from, which the metadata store knows by name only."""

from __future__ import annotations

from collections.abc import Callable

from kiok.metadata.admin import display
from kiok.metadata.admin.display import NOTHING, link

RepositoryUrl = Callable[[str], str]
"""The address of a repository's page, by its name."""

SourceUrl = Callable[[str, str, str], str]
"""The address of a file at a commit on its git service, by (repository's name, commit, path); empty where there is none."""

_repository_url: RepositoryUrl | None = None
_source_url: SourceUrl | None = None


def link_repositories(url_of: RepositoryUrl) -> None:
    """Have repositories' names link to pages. Called by the app that has those pages."""
    global _repository_url
    _repository_url = url_of


def link_sources(url_of: SourceUrl) -> None:
    """Have paths link to the git service. Called by the app that knows the repositories' urls."""
    global _source_url
    _source_url = url_of


def repository(name: str) -> str:
    """A repository's name, linked where there is a page."""
    if not name or _repository_url is None:
        return name or NOTHING
    return link(_repository_url(name), name)


def source_url(repository_name: str, commit: str, path: str) -> str:
    """Where a file at a commit is shown on its git service; empty where that is not known."""
    if _source_url is None or not (repository_name and commit and path):
        return ""
    return _source_url(repository_name, commit, path)


def source(repository_name: str, commit: str, path: str) -> str:
    """A path, linked to the file as it was at the commit where its git service is known."""
    url = source_url(repository_name, commit, path)
    return link(url, path) if url else display.shortened(path, 300)
