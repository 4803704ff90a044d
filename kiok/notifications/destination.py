"""URL of a notification webhook: parsed strictly, and its host checked in the same way as that of a repository's URL.

Unlike a repository's URL, it may have a query, which contains the key of some services, and needs no path.
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

from kiok.connections.redaction import MIN_LENGTH, REPLACEMENT
from kiok.net.errors import NetError, NetReason
from kiok.net.url import ServerUrl, check_host, check_protocol, parse_server
from kiok.notifications.errors import NotDelivered

MAX_CHARACTERS = 2000
_SCHEMES = frozenset({"https", "http"})
_NO_PROXY = (
    "the environment variable https_proxy is invalid: write http://host:port, or http://user:password@host:port with "
    "special characters percent-encoded"
)


class Allowed(Protocol):
    """Properties that limit the hosts of webhooks."""

    @property
    def gitsync_allow_protocols(self) -> tuple[str, ...]: ...

    @property
    def gitsync_allow_private_hosts(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Proxy:
    """The HTTPS proxy from the environment. `headers` may contain its password."""

    host: str
    port: int
    headers: tuple[tuple[str, str], ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Destination:
    """The destination of a webhook. `target` is path and query, which may be secret; `shown` omits them."""

    server: ServerUrl
    target: str = field(repr=False)
    private_hosts: frozenset[str]

    @property
    def shown(self) -> str:
        """Return scheme and host, for messages."""
        return f"{self.server.scheme}://{self.server.authority}/"

    def without_target(self, text: str) -> str:
        """Return a text of the server without any parts of the URL's path and query, which may be secret."""
        parts = {self.target, unquote(self.target), *re.split(r"[/?&=]", self.target)}
        for part in sorted(parts, key=len, reverse=True):
            if len(part) >= MIN_LENGTH:
                text = text.replace(part, REPLACEMENT)
        return text

    @property
    def proxy(self) -> Proxy | None:
        """Return the proxy to use, as git does: `https_proxy` or `all_proxy`, unless `no_proxy` includes the host."""
        proxies = getproxies_environment()
        url = proxies.get("https") or proxies.get("all")
        if self.server.scheme != "https" or not url or proxy_bypass_environment(self.server.host, proxies):
            return None
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            port = parts.port or 80
        except ValueError:  # its message may contain a part of the password
            raise NotDelivered(_NO_PROXY) from None
        if parts.scheme != "http" or not parts.hostname:
            raise NotDelivered(_NO_PROXY)
        login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}".encode()
        basic = ("Proxy-Authorization", f"Basic {base64.b64encode(login).decode()}")
        return Proxy(parts.hostname, port, (basic,) if parts.username else ())

    def admit(self, resolve: Callable[..., list[Any]] | None = socket.getaddrinfo) -> tuple[str, ...]:
        """Return the addresses that may be connected to; with `resolve=None`, check only an address in the URL itself.

        Raise NetError (HOST_NOT_ALLOWED, NETWORK).
        """
        return check_host(self.server, self.private_hosts, resolve)


def parse_destination(url: str, allowed: Allowed) -> Destination:
    """Parse `https://host[:port][/path][?query]`, or http if `kiok.gitsync.allow.protocols` includes it.

    Raise NetError (URL_INVALID, PROTOCOL_NOT_ALLOWED), whose message never contains the path or query.
    """
    if len(url) > MAX_CHARACTERS:
        raise _refused(f"is longer than {MAX_CHARACTERS} characters")
    if not (url.isascii() and url.isprintable()) or " " in url or "\\" in url:
        raise _refused("has a space, a backslash or a non-ASCII character; percent-encode it")
    try:
        parts = urlsplit(url)
    except ValueError as exc:
        raise _refused("cannot be parsed") from exc
    if parts.scheme not in _SCHEMES or not parts.netloc:
        raise _refused("is not a webhook URL: write https://host/path")
    if "#" in url:
        raise _refused("has a fragment ('#'); remove it")
    if "@" in parts.netloc:
        raise _refused("contains a user: store secrets in a connection, as authorization or webhookUrl")
    check_protocol(parts.scheme, _SCHEMES & frozenset(allowed.gitsync_allow_protocols) | {"https"})
    server = parse_server(parts.scheme, parts.netloc)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Destination(server, target, frozenset(allowed.gitsync_allow_private_hosts))


def _refused(why: str) -> NetError:
    return NetError(NetReason.URL_INVALID, f"the URL {why}")
