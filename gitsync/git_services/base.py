"""Interface of a git service: its webhooks and their signatures, and the pages of its repositories.

`registry` lists all services.
"""

from __future__ import annotations

import hashlib
import hmac
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import quote

from gitsync.git_services.payload import Payload

Headers = Mapping[str, str]  # header fields by case-insensitive name, as in `HttpRequest.headers`


@dataclass(frozen=True, slots=True)
class WebPage:
    """The web page of a repository: its host, with the port if there is one, and its path without slashes at the ends."""

    host: str
    path: str

    @property
    def url(self) -> str:
        """Return the URL, https and percent-encoded, without a trailing slash."""
        return f"https://{self.host}/{quoted(self.path)}"


@dataclass(frozen=True, slots=True)
class PagePaths:
    """A service's paths below a repository's page.

    Placeholders: `{sha}`, `{path}`, `{line}`, `{from_sha}`, `{to_sha}`, and `{name}` for the last part of the path.
    """

    commit: str
    file: str
    line: str
    compare: str


class GitService(ABC):
    """A git service. The methods for webhooks come first; of those, only `changed_refs` needs the parsed body."""

    name: ClassVar[str]  # recorded and shown, at most 12 characters
    # The hosts that git connects to, with the host of their web pages. Some accept ssh on port 443 under another name.
    hosts: ClassVar[Mapping[str, str]]
    words: ClassVar[tuple[str, ...]]  # words in the host name of a self-hosted service
    paths: ClassVar[PagePaths]
    # Where a webhook is added on the service's pages, and what is entered there; shown, as in docs/operate/webhooks.md.
    webhook_steps: ClassVar[str]

    @abstractmethod
    def is_sender(self, headers: Headers) -> bool:
        """Return whether the headers are those of a delivery from this service."""

    @abstractmethod
    def is_signed(self, headers: Headers) -> bool:
        """Return whether the headers contain a signature or token."""

    @abstractmethod
    def is_authentic(self, headers: Headers, body: bytes, secret: str) -> bool:
        """Return whether the headers prove knowledge of the secret, by constant-time comparison."""

    @abstractmethod
    def delivery_id(self, headers: Headers) -> str:
        """Return the id that stays the same when the service sends the delivery again; "" if it has none."""

    @abstractmethod
    def event(self, headers: Headers) -> str:
        """Return the service's name of the event."""

    @abstractmethod
    def is_ping(self, event: str) -> bool:
        """Return whether the event only tests the hook."""

    @abstractmethod
    def reports_refs(self, event: str) -> bool:
        """Return whether the event reports that refs were created, moved or deleted."""

    @abstractmethod
    def changed_refs(self, event: str, payload: Payload) -> tuple[str, ...]:
        """Return the full names of the changed refs (`refs/heads/main`). Raise PayloadInvalid."""

    def page(self, host: str, path: str) -> WebPage:
        """Return the page of the repository that git finds at this path of the host."""
        return WebPage(host, path)

    def paths_at(self, host: str) -> PagePaths:  # noqa: ARG002 - for services whose editions differ
        """Return the paths below the pages of this host."""
        return self.paths

    def commit_url(self, page: WebPage, sha: str) -> str:
        """Return the URL of a commit's page."""
        return f"{page.url}/{self.paths_at(page.host).commit.format(sha=sha)}"

    def file_url(self, page: WebPage, sha: str, path: str, line: int | None = None) -> str:
        """Return the URL of a file's page at a commit, and at a line (from 1) if given."""
        paths = self.paths_at(page.host)
        url = f"{page.url}/{paths.file.format(sha=sha, path=quoted(path))}"
        if line is None:
            return url
        return url + paths.line.format(line=line, name=quoted(path.rpartition("/")[2]))

    def compare_url(self, page: WebPage, from_sha: str, to_sha: str) -> str:
        """Return the URL of the comparison of two commits."""
        return f"{page.url}/{self.paths_at(page.host).compare.format(from_sha=from_sha, to_sha=to_sha)}"


def quoted(path: str) -> str:
    """Return the path percent-encoded, with its slashes."""
    return quote(path.encode("utf-8", "surrogateescape"), safe="/~")


def is_hmac_of(given: str, body: bytes, secret: str, *, prefix: str = "") -> bool:
    """Return whether `given` is the prefix and the body's HMAC-SHA256 under the secret, in lower-case hexadecimal."""
    return is_same(given, prefix + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest())


def is_same(given: str, wanted: str) -> bool:
    """Return whether a header's value equals the expected text, in constant time.

    Servers decode header bytes as Latin-1 (PEP 3333).
    """
    # Compare digests, so that not even the length of the expected text is revealed.
    found, sought = (
        hashlib.sha256(text).digest() for text in (given.encode("latin-1", "replace"), wanted.encode())
    )
    return hmac.compare_digest(found, sought)
