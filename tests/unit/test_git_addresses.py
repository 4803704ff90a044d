"""The check for public addresses."""

from __future__ import annotations

import ipaddress
import socket
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitsync.git.errors import GitError, GitReason
from gitsync.git.url import check_host, parse_url
from kiok.net.addresses import NOT_PUBLIC, PUBLIC_EXCEPTIONS, embedded, is_public_or_in
from kiok.net.errors import NetError, NetReason
from kiok.notifications.destination import parse_destination

ALLOWED = SimpleNamespace(gitsync_allow_protocols=("https",), gitsync_allow_private_hosts=())
PRIVATE = ("10.0.0.1", "127.0.0.1", "169.254.169.254", "192.168.1.1", "100.100.100.200", "168.63.129.16")


def carriers(inner: str) -> list[str]:
    """Return IPv6 addresses that embed an IPv4 address."""
    number = int(ipaddress.IPv4Address(inner))
    high, low = number >> 16, number & 0xFFFF
    octets = [f"{octet:02x}" for octet in number.to_bytes(4, "big")]
    a, b, c, d = octets
    return [
        f"::ffff:{inner}",
        f"::ffff:0:{inner}",
        f"::{inner}",
        f"64:ff9b::{inner}",
        f"2002:{high:x}:{low:x}::1",
        f"2001:0:808:808:0:0:{high ^ 0xFFFF:x}:{low ^ 0xFFFF:x}",  # Teredo: the client
        f"2001:0:{high:x}:{low:x}:0:0:f7f7:f7f7",  # Teredo: the server
        f"64:ff9b:1::{inner}",  # NAT64 of a local network, /96
        f"64:ff9b:1:{a}{b}:{'00'}{c}:{d}00::",  # /48
        f"64:ff9b:1:{'00'}{a}:{'00'}{b}:{c}{d}::",  # /56
        f"64:ff9b:1:0:{'00'}{a}:{b}{c}:{d}00:0",  # /64
        f"2606:4700::5efe:{inner}",  # ISATAP
        f"2606:4700::200:5efe:{inner}",
    ]


@pytest.mark.parametrize("network", NOT_PUBLIC)
def test_special_purpose_addresses_are_not_public(network: str) -> None:
    net = ipaddress.ip_network(network)
    exceptions = [ipaddress.ip_network(text) for text in PUBLIC_EXCEPTIONS]
    for address in (net[0], net[-1], net[net.num_addresses // 2], net[net.num_addresses // 3]):
        assert any(address in exception for exception in exceptions) or not is_public_or_in(address, ()), (
            address
        )


@pytest.mark.parametrize(
    "address",
    [
        "fec0::1",
        "feff::1",
        "64:ff9b:1::a00:1",
        "5f00::1",
        "3fff::1",
        "100::1",
        "100:0:0:1::1",
        "2001:2::1",
        "2001:10::1",
        "2001:1ff::1",
        "4000::1",
        "400::1",
        "fe00::1",
        "192.0.0.8",
        "192.0.0.170",
        "192.88.99.1",
        "255.255.255.255",
        "239.1.2.3",
        "ff0e::1",
    ],
)
def test_addresses_that_python_3_11_wrongly_calls_global_are_not_public(address: str) -> None:
    assert not is_public_or_in(ipaddress.ip_address(address), ())


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "93.184.216.34",
        "192.0.0.9",
        "192.31.196.1",
        "192.52.193.1",
        "192.175.48.1",
        "192.88.98.1",
        "172.32.0.1",
        "100.128.0.1",
        "198.20.0.1",
        "223.255.255.255",
        "2606:2800:220:1::1",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2001:1::1",
        "2001:20::1",
        "2620:4f:8000::1",
        "2a00:1450::1",
    ],
)
def test_other_addresses_are_public(address: str) -> None:
    assert is_public_or_in(ipaddress.ip_address(address), ())


@pytest.mark.parametrize("inner", PRIVATE)
@pytest.mark.rule("paths.private-hosts")
def test_ipv6_address_with_a_private_ipv4_address_is_refused(
    inner: str,
) -> None:
    for text in carriers(inner):
        assert not is_public_or_in(ipaddress.ip_address(text), ()), text
        with pytest.raises(GitError) as caught:
            check_host(parse_url(f"https://[{text}]/x"), frozenset())
        assert caught.value.reason is GitReason.HOST_NOT_ALLOWED, text
        with pytest.raises(NetError) as refused:
            parse_destination(f"https://[{text}]/x", ALLOWED).admit(None)
        assert refused.value.reason is NetReason.HOST_NOT_ALLOWED, text


@pytest.mark.parametrize("inner", ["140.82.121.3", "1.2.3.4", "93.184.216.34"])
def test_ipv6_address_with_a_public_ipv4_address_is_public(inner: str) -> None:
    """In a network without IPv4, the name server returns NAT64 addresses for hosts such as github.com."""
    for text in carriers(inner):
        assert is_public_or_in(ipaddress.ip_address(text), ()), text


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([net for net in NOT_PUBLIC if ":" not in net and net != "0.0.0.0/8"]).flatmap(
        lambda net: st.ip_addresses(v=4, network=net)
    )
)
@pytest.mark.rule("paths.private-hosts")
def test_ipv6_forms_of_a_private_address_are_not_public(inner: ipaddress.IPv4Address) -> None:
    if str(inner) in ("192.0.0.9", "192.0.0.10"):
        return
    for text in carriers(str(inner)):
        assert not is_public_or_in(ipaddress.ip_address(text), ()), text


@pytest.mark.parametrize(
    ("address", "allowed", "is_allowed"),
    [
        ("64:ff9b:1::10.1.2.3", "10.1.0.0/16", True),
        ("64:ff9b:1::10.1.2.3", "64:ff9b:1::/48", True),
        ("64:ff9b:1::10.1.2.3", "10.2.0.0/16", False),
        ("::ffff:10.1.2.3", "10.1.2.3", True),
        ("fec0::1", "fec0::/10", True),
        ("fec0::1", "fe80::/10", False),
        ("2001:0:a01:203:0:0:f5fe:fdfc", "10.0.0.0/8", True),  # Teredo: both are private
        ("fe80::5efe:8.8.8.8", "10.0.0.0/8", False),
        ("fe80::5efe:10.1.2.3", "10.0.0.0/8", False),
        ("2606:4700::5efe:10.1.2.3", "10.0.0.0/8", True),
    ],
)
@pytest.mark.rule("paths.allowed-hosts")
def test_allowed_network_covers_an_address_or_its_embedded_ipv4(
    address: str, allowed: str, is_allowed: bool
) -> None:
    assert is_public_or_in(ipaddress.ip_address(address), [ipaddress.ip_network(allowed)]) is is_allowed


def test_name_that_resolves_to_a_site_local_address_is_refused() -> None:
    def resolve(host: str, port: int, **_: object) -> list[Any]:
        return [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fec0::1", port, 0, 0))]

    with pytest.raises(GitError, match="special-purpose") as caught:
        check_host(parse_url("https://git.example/x"), frozenset(), resolve)
    assert caught.value.reason is GitReason.HOST_NOT_ALLOWED


def test_plain_address_embeds_no_other() -> None:
    assert embedded(ipaddress.ip_address("10.0.0.1")) == ()
    assert embedded(ipaddress.ip_address("2606:4700::1")) == ()


def test_exceptions_are_parts_of_special_purpose_networks() -> None:
    for text in PUBLIC_EXCEPTIONS:
        exception = ipaddress.ip_network(text)
        assert any(
            exception.version == net.version and exception.subnet_of(net)  # type: ignore[arg-type]
            for net in map(ipaddress.ip_network, NOT_PUBLIC)
        )


@pytest.mark.parametrize("reason", NetReason)
def test_git_has_each_reason_of_a_url_with_the_same_transience(reason: NetReason) -> None:
    assert GitReason[reason.name].transient is NetError(reason, "").transient
