"""Commits and files as links to the git service, if it is known; see `gitsync.repositories.links`."""

from __future__ import annotations

from django.utils.html import format_html
from django.utils.safestring import SafeString

from gitsync.models import Repository, SyncRun
from gitsync.repositories import links
from kiok.metadata.admin import display

ARROW = "→"


def commit(repository: Repository, sha: str) -> str:
    """Return a commit's first characters as a link; hovering shows the full id."""
    return _linked(links.commit_url(repository, sha), display.commit(sha))


def whole_commit(repository: Repository, sha: str) -> str:
    """Return the full commit id as a link."""
    return (
        _linked(links.commit_url(repository, sha), format_html("<code>{}</code>", sha))
        if sha
        else display.NOTHING
    )


def commits(repository: Repository, before: str, after: str) -> str:
    """Return `before → after` as links, the arrow to the changes between them; one commit if both are the same."""
    if not before or before == after:
        return commit(repository, after)
    arrow = links.compare_url(repository, before, after) if after else ""
    between = (
        format_html('<a href="{}" title="What changed" aria-label="What changed">{}</a>', arrow, ARROW)
        if arrow
        else ARROW
    )
    return format_html("{} {} {}", commit(repository, before), between, commit(repository, after))


def about(run: SyncRun) -> SafeString:
    """Return subject, author and age of the commit that a sync brought; empty if they are unknown."""
    return display.about_commit(run.commit_subject, run.commit_author, run.commit_time)


def file(repository: Repository, sha: str, path: str, line: int | None, text: str) -> str:
    """Return the text as a link to the file at the commit."""
    return _linked(links.file_url(repository, sha, path, line), text)


def _linked(url: str, text: str) -> str:
    return format_html('<a href="{}" rel="noreferrer">{}</a>', url, text) if url else text
