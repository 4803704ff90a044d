"""Table of the git services whose webhooks are supported."""

from __future__ import annotations

from gitsync.git_services.bitbucket import Bitbucket
from gitsync.git_services.gitea import Gitea
from gitsync.git_services.github import GitHub
from gitsync.git_services.gitlab import GitLab
from gitsync.git_services.service import Headers, Service

# Gitea comes before GitHub, as it sends GitHub's headers too.
SERVICES: tuple[Service, ...] = (Gitea(), GitHub(), GitLab(), Bitbucket())


def service_of(headers: Headers) -> Service | None:
    """Return the service that sent a delivery, or None if it is unknown."""
    return next((service for service in SERVICES if service.sent(headers)), None)
