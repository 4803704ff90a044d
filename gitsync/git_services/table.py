"""Every git service whose webhooks are understood."""

from __future__ import annotations

from gitsync.git_services.bitbucket import Bitbucket
from gitsync.git_services.gitea import Gitea
from gitsync.git_services.github import GitHub
from gitsync.git_services.gitlab import GitLab
from gitsync.git_services.service import Headers, Service

# Gitea before GitHub, whose headers it sends too.
SERVICES: tuple[Service, ...] = (Gitea(), GitHub(), GitLab(), Bitbucket())


def service_of(headers: Headers) -> Service | None:
    """The service that sent a delivery, None if it is none of these."""
    return next((service for service in SERVICES if service.sent(headers)), None)
