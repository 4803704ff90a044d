"""Links to the repository and source of a DAG, which the metadata store knows only by name."""

from __future__ import annotations

from collections.abc import Callable

from django.utils.html import format_html

from kiok.metadata.admin import display
from kiok.metadata.admin.display import NOTHING, link

RepositoryUrl = Callable[[str], str]  # from a repository's name to the URL of its page

# From (repository name, commit, path) to the file's URL on its git service; empty if there is none.
SourceUrl = Callable[[str, str, str], str]

CommitUrl = Callable[
    [str, str], str
]  # from (repository name, commit) to the commit's URL; empty if there is none

_repository_url: RepositoryUrl | None = None
_source_url: SourceUrl | None = None
_commit_url: CommitUrl | None = None


def link_repositories(url_of: RepositoryUrl) -> None:
    """Link repository names to their pages. The app that has those pages calls this."""
    global _repository_url
    _repository_url = url_of


def link_sources(url_of: SourceUrl) -> None:
    """Link paths to the git service. The app that knows the repositories' URLs calls this."""
    global _source_url
    _source_url = url_of


def link_commits(url_of: CommitUrl) -> None:
    """Link commits to the git service. The app that knows the repositories' URLs calls this."""
    global _commit_url
    _commit_url = url_of


def whole_commit(repository_name: str, sha: str) -> str:
    """Return the full commit id, as a link if its git service is known."""
    if not sha:
        return NOTHING
    url = _commit_url(repository_name, sha) if _commit_url and repository_name else ""
    text = format_html("<code>{}</code>", sha)
    return format_html('<a href="{}" rel="noreferrer">{}</a>', url, text) if url else text


def repository(name: str) -> str:
    """Return a repository's name, as a link if it has a page."""
    if not name or _repository_url is None:
        return name or NOTHING
    return link(_repository_url(name), name)


def source_url(repository_name: str, commit: str, path: str) -> str:
    """Return the URL of a file at a commit on its git service; empty if unknown."""
    if _source_url is None or not (repository_name and commit and path):
        return ""
    return _source_url(repository_name, commit, path)


def source(repository_name: str, commit: str, path: str) -> str:
    """Return a path, as a link to the file at the commit if its git service is known."""
    url = source_url(repository_name, commit, path)
    return link(url, path) if url else display.shortened(path, 300)
