"""Where a repository that the admin may not change is declared."""

from __future__ import annotations

from gitsync.conf import properties
from gitsync.models import Repository


def declared_where(repository: Repository) -> str:
    """Property and place, for people."""
    config = properties()
    in_file = any(declared.name == repository.name for declared in config.file_repositories)
    if in_file and config.gitsync_repos_file is not None:
        return f"the file {config.gitsync_repos_file} (kiok.gitsync.repos.file)"
    if any(declared.name == repository.name for declared in config.gitsync_repos):
        return f"kiok.gitsync.repos ({config.sources.get('kiok.gitsync.repos', 'the configuration')})"
    return "the configuration (kiok.gitsync.repos or kiok.gitsync.repos.file) of the service's workers"
