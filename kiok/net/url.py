"""The server in a url: strict parser of its host and port, and the check of its addresses."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from kiok.net.addresses import Address, Network, is_public_or_in
from kiok.net.errors import NetError, NetReason

DEFAULT_PORTS = {"https": 443, "http": 80, "ssh": 22, "git": 9418}
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9._-]{0,251}[a-z0-9_])?")
_PORT = re.compile(r"[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class ServerUrl:
    """The scheme, host and port of a url.

    `host` is lower-case, without brackets and final dot, and `""` for `file`. `port` is None for the scheme's default.
    """

    scheme: str
    host: str
    port: int | None

    @property
    def authority(self) -> str:
        """Return `host` or `host:port`, with an IPv6 address in brackets."""
        port = f":{self.port}" if self.port else ""
        return self.authority_without_port + port

    @property
    def authority_without_port(self) -> str:
        """Return `host`, with an IPv6 address in brackets."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def port_or_default(self) -> int:
        """Return the TCP port, or 0 for `file`."""
        return self.port or DEFAULT_PORTS.get(self.scheme, 0)


def check_protocol(scheme: str, allow_protocols: frozenset[str]) -> None:
    """Raise NetError (PROTOCOL_NOT_ALLOWED) unless `allow_protocols` contains the scheme."""
    if scheme not in allow_protocols:
        raise NetError(
            NetReason.PROTOCOL_NOT_ALLOWED,
            f"the scheme {scheme!r} is not allowed. Allowed are {listed(allow_protocols)}",
        )


def listed(protocols: frozenset[str]) -> str:
    """Return the schemes as text, for messages."""
    return ", ".join(sorted(protocols)) or "none"


def parse_server(scheme: str, authority: str) -> ServerUrl:
    """Parse the part of a url between its scheme and its path; without a user. Raise NetError (URL_INVALID)."""
    host, port = parse_host_and_port(authority)
    return ServerUrl(scheme, host, None if port == DEFAULT_PORTS[scheme] else port)


def parse_host_and_port(text: str) -> tuple[str, int | None]:
    """Return the host, normalized as in `ServerUrl`, and the port as written. Raise NetError (URL_INVALID)."""
    if text.startswith("["):
        host, bracket, tail = text[1:].partition("]")
        try:
            host = str(ipaddress.IPv6Address(host)) if bracket and "%" not in host else ""
        except ValueError:
            host = ""
        if not host or (tail and not tail.startswith(":")):
            raise _refused("has a malformed IPv6 address. Write [address] or [address]:port")
        port_text = tail[1:] if tail else None
    else:
        host, colon, number = text.partition(":")
        host = host.lower().removesuffix(".")
        port_text = number if colon else None
        if not host.isascii():
            raise _refused("has a host with non-ASCII characters. Write its punycode form (xn--...)")
        if not _HOST.fullmatch(host) or ".." in host:
            raise _refused("has no valid host name (letters, digits, '.', '-', '_'; no leading dash)")
    if port_text is None:
        return host, None
    if not _PORT.fullmatch(port_text) or not 0 < int(port_text) < 65536:
        raise _refused("has a port that is not a number from 1 to 65535")
    return host, int(port_text)


def check_host(
    url: ServerUrl,
    allow_private_hosts: frozenset[str],
    resolve: Callable[..., list[Any]] | None = socket.getaddrinfo,
) -> tuple[str, ...]:
    """Return the addresses of the url's host, all of them public or allowed, or `()` for `file`.

    Connect only to these addresses. Otherwise a name that resolves differently the second time bypasses the check.
    `allow_private_hosts` contains host names, addresses and CIDR networks. With `resolve=None` names are not resolved
    (behind a proxy, which does that), and only literal addresses are checked. Raises NetError (HOST_NOT_ALLOWED; NETWORK
    if the name cannot be resolved).
    """
    if url.scheme == "file":
        return ()
    host = url.host
    literal = _address(host)
    if literal is not None:
        addresses: tuple[str, ...] = (str(literal),)
    elif resolve is None:
        return ()
    else:
        addresses = _lookup(host, url.port_or_default, resolve)
    allowed = {name.strip().lower().rstrip(".") for name in allow_private_hosts}
    if host in allowed:
        return addresses
    networks = _networks(allowed)
    for text in addresses:
        if is_public_or_in(ipaddress.ip_address(text), networks):
            continue
        via = "" if literal else f" (it resolves to {text})"
        raise NetError(
            NetReason.HOST_NOT_ALLOWED,
            f"host {host!r} is a private, loopback, link-local, metadata or other special-purpose address{via}. "
            "An operator can allow it: add the host, address or network to kiok.gitsync.allow.private.hosts.",
        )
    return addresses


def _lookup(host: str, port: int, resolve: Callable[..., list[Any]]) -> tuple[str, ...]:
    try:
        found = resolve(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise NetError(NetReason.NETWORK, f"host {host!r} cannot be resolved: {exc}") from exc
    addresses = tuple(dict.fromkeys(str(item[4][0]).partition("%")[0] for item in found))
    if not addresses:
        raise NetError(NetReason.NETWORK, f"host {host!r} cannot be resolved: it has no address")
    return addresses


def _networks(names: Iterable[str]) -> list[Network]:
    networks: list[Network] = []
    for name in names:
        try:
            networks.append(ipaddress.ip_network(name, strict=False))
        except ValueError:
            continue  # a host name
    return networks


def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _refused(why: str) -> NetError:
    # The text itself is not repeated, since it may contain a password.
    return NetError(NetReason.URL_INVALID, f"the url {why}")
