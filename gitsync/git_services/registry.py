"""The supported git services, and the service of a webhook delivery or of a repository's URL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from gitsync.git.errors import GitError
from gitsync.git.url import RemoteUrl, parse_url
from gitsync.git_services.base import GitService, Headers, WebPage
from gitsync.git_services.bitbucket import Bitbucket
from gitsync.git_services.gitea import Gitea
from gitsync.git_services.github import GitHub
from gitsync.git_services.gitlab import GitLab

# Gitea comes before GitHub, as it sends GitHub's headers too.
SERVICES: tuple[GitService, ...] = (Gitea(), GitHub(), GitLab(), Bitbucket())

_BY_NAME: Mapping[str, GitService] = {service.name: service for service in SERVICES}
_BY_HOST: Mapping[str, GitService] = {host: service for service in SERVICES for host in service.hosts}
_BY_WORD: Mapping[str, GitService] = {word: service for service in SERVICES for word in service.words}
_SCHEMES = frozenset({"https", "ssh"})  # other schemes do not reveal the host of the service's pages


def sender_of(headers: Headers) -> GitService | None:
    """Return the service that sent a delivery, or None if it is unknown."""
    return next((service for service in SERVICES if service.is_sender(headers)), None)


def is_self_hosted(url: str) -> bool:
    """Return whether a URL is valid and its host is not one of a service that is known by its host."""
    parsed = _parsed(url)
    return parsed is not None and parsed.host not in _BY_HOST


def page_at(url: str, delivered_by: str = "") -> tuple[GitService, WebPage] | None:
    """Return the service and the page of the repository that git reaches at this URL, or None if it is unknown.

    The service is known by its host, else by the name `delivered_by` of the service that signed the last webhook, else by
    a word in the host name (`gitlab.example.com`).
    """
    parsed = _parsed(url)
    if parsed is None:
        return None
    service, host = _BY_HOST.get(parsed.host), parsed.host
    if service is not None:
        host = service.hosts[parsed.host]
    else:
        words = re.split(r"[.-]", parsed.host)
        by_word = (_BY_WORD[word] for word in words if word in _BY_WORD)
        service = _BY_NAME.get(delivered_by) or next(by_word, None)
        # The ssh port is not the port of the web pages.
        https = parsed if parsed.scheme == "https" else RemoteUrl("https", parsed.host, None, None, "/")
        host = https.authority
    path = _path(parsed)
    if service is None or not is_plain(path) or "/" not in path:
        return None
    return service, service.page(host, path)


def is_plain(path: str) -> bool:
    """Return whether every part is a plain name, not one that a browser resolves, such as `..`."""
    return bool(path) and not any(part in ("", ".", "..") for part in path.split("/"))


def _parsed(text: str) -> RemoteUrl | None:
    try:
        return parse_url(text, allow_protocols=_SCHEMES)
    except GitError:
        return None


def _path(url: RemoteUrl) -> str:
    # The scp form of a URL is not percent-encoded.
    raw = url.path.encode() if url.from_home else unquote_to_bytes(url.path)
    return raw.decode("utf-8", "surrogateescape").strip("/").removesuffix(".git")
