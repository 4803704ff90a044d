"""The address of a client: the peer's, or behind proxies what they say of it (`kiok.web.proxies`)."""

from __future__ import annotations

import ipaddress
import re

from django.conf import settings
from django.http import HttpRequest

IPV6_PREFIX = 64  # one client has at least as many addresses (RFC 6177)
_WITH_PORT = re.compile(r"\[(?P<v6>[^\]]*)\](?::\d+)?|(?P<v4>[^:]*):\d+")


def client_address(request: HttpRequest) -> str | None:
    """Return the client's address, of IPv6 its network; None where there is none, as on a unix socket.

    Each proxy appends the address that it was reached from, so with two of them the client's is the second from the end.
    What stands before it the client may have written.
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
