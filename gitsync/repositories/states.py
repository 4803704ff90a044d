"""Terms for a repository's state: the same in the admin, in commands and in the docs."""

from __future__ import annotations

from collections.abc import Mapping

from gitsync.models import Repository, RepositoryState
from gitsync.repositories.requests import is_claimed

SWITCHED_OFF = "off"
PAUSED = "paused"
SYNCING = "syncing"
WORDS: Mapping[str, str] = {
    **{state.value: str(state.label) for state in RepositoryState},
    SYNCING: "syncing",
    PAUSED: "paused",
    SWITCHED_OFF: "disabled",
}


def shown_state(repository: Repository) -> str:
    """Return the key of `WORDS` for the repository: a state set by a person first, then a running sync."""
    if not repository.enabled:
        return SWITCHED_OFF
    if repository.is_paused:
        return PAUSED
    return SYNCING if is_claimed(repository) else str(repository.state)
