"""The address of a client: the peer's address, or behind proxies the one that they report (`kiok.web.proxies`)."""

from __future__ import annotations

import ipaddress
import re

from django.conf import settings
from django.http import HttpRequest

IPV6_PREFIX = 64  # a client has at least a /64 network (RFC 6177)
_WITH_PORT = re.compile(r"\[(?P<v6>[^\]]*)\](?::\d+)?|(?P<v4>[^:]*):\d+")


def client_address(request: HttpRequest) -> str | None:
    """Return the client's address, for IPv6 its network; None if it has none, as on a Unix socket.

    Each proxy appends the address of its client, so with two proxies the client's address is the second from the end.
    The client itself may have written the addresses before it.
    """
    proxies: int = settings.KIOK.web_proxies
    if proxies:
        told = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
        if len(told) >= proxies and (found := _normal(told[-proxies])):
            return found
    return _normal(request.META.get("REMOTE_ADDR", ""))


def _normal(text: str) -> str | None:
    match = _WITH_PORT.fullmatch(text)
    if match:
        text = match["v6"] or match["v4"] or ""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    address = getattr(address, "ipv4_mapped", None) or address
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((int(address), IPV6_PREFIX), strict=False).network_address)
