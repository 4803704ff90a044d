"""A webhook's url: parsed once, strictly, and checked for where it leads, as those of repositories are.

Unlike a repository's it may have a query, in which some services carry their key, and needs no path.
"""

from __future__ import annotations

import base64
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

from gitsync.git.errors import GitReason, git_error
from gitsync.git.url import RemoteUrl, check_host, parse_url
from gitsync.notices.errors import NotDelivered
from kiok.connections.redaction import MIN_LENGTH, REPLACEMENT

MAX_CHARACTERS = 2000
_SCHEMES = frozenset({"https", "http"})
_NO_PROXY = (
    "the environment's https_proxy is none that can be used: write http://host:port, or http://user:password@host:port "
    "with what is special in them percent-encoded"
)


class Allowed(Protocol):
    """The properties that say where webhooks may lead."""

    @property
    def gitsync_allow_protocols(self) -> tuple[str, ...]: ...

    @property
    def gitsync_allow_private_hosts(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Proxy:
    """The environment's proxy for https. `headers` may hold its password."""

    host: str
    port: int
    headers: tuple[tuple[str, str], ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a webhook leads. `target` is path and query, which may be a secret; `shown` is without it."""

    remote: RemoteUrl
    target: str = field(repr=False)
    private_hosts: frozenset[str]

    @property
    def shown(self) -> str:
        """Scheme and host, for people."""
        return f"{self.remote.scheme}://{self.remote.authority}/"

    def without_target(self, text: str) -> str:
        """The text, which the server wrote, without what of the url it repeats: any part that may be a secret."""
        parts = {self.target, unquote(self.target), *re.split(r"[/?&=]", self.target)}
        for part in sorted(parts, key=len, reverse=True):
            if len(part) >= MIN_LENGTH:
                text = text.replace(part, REPLACEMENT)
        return text

    @property
    def proxy(self) -> Proxy | None:
        """The proxy that connects for us, as for git: `https_proxy` or `all_proxy`, unless `no_proxy` has the host."""
        proxies = getproxies_environment()
        url = proxies.get("https") or proxies.get("all")
        if self.remote.scheme != "https" or not url or proxy_bypass_environment(self.remote.host, proxies):
            return None
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            port = parts.port or 80
        except ValueError:  # its words may be a part of the password
            raise NotDelivered(_NO_PROXY) from None
        if parts.scheme != "http" or not parts.hostname:
            raise NotDelivered(_NO_PROXY)
        login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}".encode()
        basic = ("Proxy-Authorization", f"Basic {base64.b64encode(login).decode()}")
        return Proxy(parts.hostname, port, (basic,) if parts.username else ())

    def admit(self, resolve: Callable[..., list[Any]] | None = socket.getaddrinfo) -> tuple[str, ...]:
        """The addresses that may be connected to; with `resolve=None` only an address in the url is judged.

        Raises GitError (HOST_NOT_ALLOWED, NETWORK).
        """
        return check_host(self.remote, self.private_hosts, resolve)


def parse_destination(url: str, allowed: Allowed) -> Destination:
    """`https://host[:port][/path][?query]`; http where `kiok.gitsync.allow.protocols` has it.

    Raises GitError (URL_INVALID, PROTOCOL_NOT_ALLOWED), which never repeats path or query.
    """
    if len(url) > MAX_CHARACTERS:
        raise _refused(f"is longer than {MAX_CHARACTERS} characters")
    if not (url.isascii() and url.isprintable()) or " " in url or "\\" in url:
        raise _refused("has a blank, a backslash or a character that is not ASCII; percent-encode it")
    try:
        parts = urlsplit(url)
    except ValueError as exc:
        raise _refused("cannot be read") from exc
    if parts.scheme not in _SCHEMES or not parts.netloc:
        raise _refused("is none of a webhook: write https://host/path")
    if "#" in url:
        raise _refused("has a fragment ('#'); leave it out")
    if "@" in parts.netloc:
        raise _refused("has a user: put what is secret into a connection, as authorization or webhookUrl")
    protocols = _SCHEMES & frozenset(allowed.gitsync_allow_protocols) | {"https"}
    # The path is no repository's, so another stands in for it.
    remote = parse_url(f"{parts.scheme}://{parts.netloc}/webhook", allow_protocols=protocols)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Destination(remote, target, frozenset(allowed.gitsync_allow_private_hosts))


def _refused(why: str) -> Exception:
    return git_error(GitReason.URL_INVALID, f"the url {why}")
