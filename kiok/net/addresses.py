"""Classification of IP addresses as public or special-purpose.

Python's `ipaddress.is_global` depends on the Python version and treats several special ranges as public. This module has
its own table, taken from IANA's registries as of October 2025:

- https://www.iana.org/assignments/iana-ipv4-special-registry
- https://www.iana.org/assignments/iana-ipv6-special-registry
- https://www.iana.org/assignments/ipv6-address-space (nothing outside 2000::/3 is assigned to hosts of the internet)
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Networks that do not lead to the public internet, with their purpose.
NOT_PUBLIC: dict[str, str] = {
    # IPv4: "Globally Reachable" is false or not applicable.
    "0.0.0.0/8": "this network",
    "10.0.0.0/8": "private use",
    "100.64.0.0/10": "shared address space of providers",
    "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "link-local",
    "172.16.0.0/12": "private use",
    "192.0.0.0/24": "IETF protocol assignments",
    "192.0.2.0/24": "documentation",
    "192.88.99.0/24": "6to4 relay anycast, deprecated",
    "192.168.0.0/16": "private use",
    "198.18.0.0/15": "benchmarking",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved, and the limited broadcast",
    # A public address that leads to the "wire server" of the Azure platform.
    "168.63.129.16/32": "metadata service of Azure",
    # IPv6.
    "::/128": "unspecified",
    "::1/128": "loopback",
    "100::/64": "discard-only",
    "100:0:0:1::/64": "dummy prefix",
    "2001::/23": "IETF protocol assignments: benchmarking, ORCHID and others",
    "2001:db8::/32": "documentation",
    "3fff::/20": "documentation",
    "5f00::/16": "segment routing identifiers",
    "fc00::/7": "unique local",
    "fe80::/10": "link-local",
    "fec0::/10": "site-local, deprecated",
    "ff00::/8": "multicast",
}

# Parts of `NOT_PUBLIC` that the registries list as globally reachable.
PUBLIC_EXCEPTIONS: dict[str, str] = {
    "192.0.0.9/32": "port control protocol anycast",
    "192.0.0.10/32": "TURN anycast",
    "2001:1::1/128": "port control protocol anycast",
    "2001:1::2/128": "TURN anycast",
    "2001:1::3/128": "DNS-SD service registration anycast",
    "2001:3::/32": "automatic multicast tunneling",
    "2001:4:112::/48": "AS112-v6",
    "2001:20::/28": "ORCHIDv2",
    "2001:30::/28": "drone remote identification",
}

_NOT_PUBLIC = [ipaddress.ip_network(text) for text in NOT_PUBLIC]
_EXCEPTIONS = [ipaddress.ip_network(text) for text in PUBLIC_EXCEPTIONS]
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")
# The last 32 bits are an IPv4 address: mapped, translated (RFC 2765), compatible (deprecated), NAT64 (RFC 6052).
_LAST_32_BITS = [
    ipaddress.IPv6Network(text) for text in ("::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "::/96")
]
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")  # RFC 8215
_ISATAP_IDS = (0x00005EFE, 0x02005EFE)  # RFC 5214: the first half of the interface id


def is_public_or_in(address: Address, networks: Iterable[Network]) -> bool:
    """Return whether a connection to the address can only lead to the public internet, or `networks` allow it.

    An IPv6 address that embeds IPv4 addresses is public only if each of those is. `networks` allow an address
    that one of them contains, and an IPv6 address whose private IPv4 addresses they contain.
    """
    allowed = list(networks)
    if any(address in network for network in allowed):
        return True
    judged: tuple[Address, ...] = embedded(address) or (address,)
    if _is_isatap(address):
        judged = (address, *judged)  # its first half is a real prefix
    return all(_is_public_itself(part) or any(part in network for network in allowed) for part in judged)


def embedded(address: Address) -> tuple[ipaddress.IPv4Address, ...]:
    """Return the IPv4 addresses to which an IPv6 address may lead; none for an IPv4 or a plain IPv6 address."""
    if isinstance(address, ipaddress.IPv4Address):
        return ()
    bits = int(address)
    if any(address in network for network in _LAST_32_BITS):
        return (_ipv4(bits),)
    if address.sixtofour:
        return (address.sixtofour,)
    if address.teredo:
        return address.teredo  # the relay's server, and the client
    if address in _LOCAL_NAT64:
        return _in_local_nat64(bits)
    if _is_isatap(address):
        return (_ipv4(bits),)
    return ()


def _in_local_nat64(bits: int) -> tuple[ipaddress.IPv4Address, ...]:
    """Return the IPv4 addresses that a translator could read, one for each prefix length of RFC 6052."""
    read = (
        _ipv4((bits >> 64 & 0xFFFF) << 16 | bits >> 40 & 0xFFFF),  # /48
        _ipv4((bits >> 64 & 0xFF) << 24 | bits >> 32 & 0xFFFFFF),  # /56
        _ipv4(bits >> 24),  # /64
        _ipv4(bits),  # /96
    )
    # No host has an address in 0.0.0.0/8: those are the zero bits of the other prefix lengths.
    return tuple(inner for inner in read if inner not in _THIS_NETWORK) or read[-1:]


def _ipv4(bits: int) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(bits & 0xFFFFFFFF)


def _is_isatap(address: Address) -> bool:
    return isinstance(address, ipaddress.IPv6Address) and int(address) >> 32 & 0xFFFFFFFF in _ISATAP_IDS


def _is_public_itself(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return not any(address in network for network in _NOT_PUBLIC) or any(
        address in network for network in _EXCEPTIONS
    )
