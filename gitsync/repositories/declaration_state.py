"""The periodic job of the leader that follows the declared repositories, and records why it does not."""

from __future__ import annotations

import logging

from gitsync.models import DeclarationState
from gitsync.repositories.declared import DeclarationError, follow_declaration, missing_declaration

log = logging.getLogger(__name__)


class FollowedDeclaration:
    """The declared repositories, followed once a minute. The store has the problem, for pages and the doctor."""

    def __init__(self) -> None:
        self._logged = ""

    def follow(self) -> None:
        """Follow the declaration. A problem is logged once, and again when it changes."""
        try:
            follow_declaration()
            problem = missing_declaration()
        except DeclarationError as exc:
            problem = str(exc)
        if problem and problem != self._logged:
            log.error("the declared repositories are not applied: %s", problem)
        self._logged = problem
        if not DeclarationState.objects.filter(pk=1, problem=problem).exists():
            DeclarationState.objects.update_or_create(pk=1, defaults={"problem": problem})
