"""Repository urls: parsing, and the addresses that are allowed."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsync.git.errors import GitError, GitReason
from gitsync.git.url import RemoteUrl, check_host, parse_url

ALL = frozenset({"https", "ssh", "http", "git", "file"})


@pytest.mark.parametrize(
    ("text", "expected", "fetch_url"),
    [
        (
            "https://Example.org/team/dags.git",
            RemoteUrl("https", "example.org", None, None, "/team/dags.git"),
            "https://example.org/team/dags.git",
        ),
        (
            "https://example.org:443/d",
            RemoteUrl("https", "example.org", None, None, "/d"),
            "https://example.org/d",
        ),
        (
            "https://org@dev.azure.com:8443/d",
            RemoteUrl("https", "dev.azure.com", 8443, "org", "/d"),
            "https://dev.azure.com:8443/d",
        ),
        (
            "ssh://git@example.org:2222/d",
            RemoteUrl("ssh", "example.org", 2222, "git", "/d"),
            "ssh://git@example.org:2222/d",
        ),
        (
            "ssh://git@[2001:DB8::1]:22/d",
            RemoteUrl("ssh", "2001:db8::1", None, "git", "/d"),
            "ssh://git@[2001:db8::1]/d",
        ),
        (
            "git@example.org:/srv/d.git",
            RemoteUrl("ssh", "example.org", None, "git", "/srv/d.git"),
            "ssh://git@example.org/srv/d.git",
        ),
        (
            "git@example.org:team/d.git",
            RemoteUrl("ssh", "example.org", None, "git", "/team/d.git", from_home=True),
            "git@example.org:team/d.git",
        ),
        (
            "git@[::1]:team/d.git",
            RemoteUrl("ssh", "::1", None, "git", "/team/d.git", from_home=True),
            "git@[::1]:team/d.git",
        ),
        (
            "https://example.org./d",
            RemoteUrl("https", "example.org", None, None, "/d"),
            "https://example.org/d",
        ),
        ("file:///srv/d.git", RemoteUrl("file", "", None, None, "/srv/d.git"), "file:///srv/d.git"),
    ],
)
@pytest.mark.rule("paths.schemes")
def test_url_is_parsed_into_one_normal_form(text: str, expected: RemoteUrl, fetch_url: str) -> None:
    url = parse_url(text, allow_protocols=ALL)
    assert url == expected
    assert url.fetch_url == fetch_url
    assert parse_url(fetch_url, allow_protocols=ALL).fetch_url == fetch_url


@pytest.mark.parametrize(
    ("scp", "ssh"),
    [
        ("git@example.org:/srv/d.git", "ssh://git@example.org/srv/d.git"),
        ("git@example.org:~/d.git", "ssh://git@example.org/~/d.git"),
        ("example.org:~bob/d.git", "ssh://example.org:22/~bob/d.git"),
    ],
)
@pytest.mark.rule("paths.schemes")
def test_scp_form_equals_its_ssh_url(scp: str, ssh: str) -> None:
    assert parse_url(scp) == parse_url(ssh)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "dags",
        "/srv/dags.git",
        "./dags:x",
        "ext::sh -c touch% /tmp/x",
        "ext::sh",
        "ext://host/x",
        "ftp://host/x",
        "https:///x",
        "https://host",
        "https://host/",
        "https://-host/x",
        "ssh://-oProxyCommand=x/y",
        "ssh://-oProxyCommand=x@host/y",
        "ssh://host/-x",
        "ssh://host//-x",
        "ssh://host/%2dx",
        "-oProxyCommand=x:y",
        "-u@host:y",
        "git@-host:y",
        "git@host:-y",
        "git@host:2222:y/../-x\t",
        "--upload-pack=touch",
        "https://host/a b",
        "https://host/a\nb",
        "https://host/a\rb",
        "https://host/a\0b",
        "https://host/a%0ab",
        "https://host/a%00b",
        "https://host/\u2028",
        "https://host/x?private_token=1",
        "https://host/x#f",
        "https://host\\x/y",
        "https://hôst/x",
        "https://host:0/x",
        "https://host:65536/x",
        "https://host:x/x",
        "https://host:/x",
        "https://[fe80::1%25eth0]/x",
        "https://[::1/x",
        "https://@host/x",
        "https://a..b/x",
        "file://host/x",
        "[host:22]:x",
        "https://host/" + "x" * 3000,
    ],
)
@pytest.mark.rule("paths.hostile-urls")
def test_invalid_url_is_refused(text: str) -> None:
    with pytest.raises(GitError) as caught:
        parse_url(text, allow_protocols=ALL)
    assert caught.value.reason is GitReason.URL_INVALID


@pytest.mark.parametrize(
    "text",
    [
        "https://ada:hunter2@host/x",
        "ssh://ada:hunter2@host/x",
        "https://:hunter2@host/x",
        "https://ghp_hunter2hunter2@host/x",
        "https://glpat-hunter2@host/x",
    ],
)
@pytest.mark.rule("paths.no-passwords")
def test_credential_in_the_url_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(GitError, match="Put the credential into a connection") as caught:
        parse_url(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "user", "fetch_url"),
    [
        ("https://user%40example.com@host/x.git", "user@example.com", "https://host/x.git"),
        ("https://user@example.com@host/x.git", "user@example.com", "https://host/x.git"),
        ("https://CORP%5Cada@host/x", "CORP\\ada", "https://host/x"),
        ("https://j%C3%BCrgen@host/x", "jürgen", "https://host/x"),
        ("https://100%@host/x", "100%", "https://host/x"),
        ("https://a%zz@host/x", "a%zz", "https://host/x"),
        ("https://a%2Fb@host/x", "a/b", "https://host/x"),
        ("ssh://user%40example.com@host/x", "user@example.com", "ssh://user@example.com@host/x"),
        ("ssh://CORP%5Cada@host/x", "CORP\\ada", "ssh://CORP%5Cada@host/x"),
        ("ssh://a%2540b@host/x", "a%40b", "ssh://a%2540b@host/x"),
        # Git decodes nothing in scp form.
        ("user%40x@host:x.git", "user%40x", "user%40x@host:x.git"),
        ("user%40x@host:/x.git", "user%40x", "ssh://user%2540x@host/x.git"),
        ("git@host:a%20b.git", "git", "git@host:a%20b.git"),
        ("git@host:/a%20b.git", "git", "ssh://git@host/a%2520b.git"),
        ("https://host/a%20b.git", None, "https://host/a%20b.git"),
        ("ssh://git@host/%7Eada/a%20b.git", "git", "ssh://git@host/%7Eada/a%20b.git"),
    ],
)
def test_user_is_percent_decoded_as_in_git(text: str, user: str | None, fetch_url: str) -> None:
    url = parse_url(text)
    assert (url.user, url.fetch_url) == (user, fetch_url)
    assert parse_url(fetch_url).fetch_url == fetch_url


@pytest.mark.parametrize(
    "text",
    [
        "https://ada%3Ahunter2@host/x",
        "ssh://ada%3Ahunter2@host/x",
        "https://ghp%5Fhunter2hunter2@host/x",
        "https://%67lpat-hunter2@host/x",
    ],
)
@pytest.mark.rule("paths.no-passwords")
def test_percent_encoded_credential_is_refused(text: str) -> None:
    with pytest.raises(GitError, match="Put the credential into a connection") as caught:
        parse_url(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "ssh://other.example%2Fx@host/x",  # git would decode it, and then connect to other.example
        "ssh://%5B::1%5D@host/x",
        "ssh://a%20b@host/x",
        "ssh://%2DoProxyCommand@host/x",
        "https://%2Da@host/x",
        "https://a%0Ab@host/x",
        "https://a%00b@host/x",
        "https://%ff@host/x",
        "https://a%E2%80%A8b@host/x",
        "https://a%E2%80%AEb@host/x",
    ],
)
@pytest.mark.rule("paths.hostile-urls")
def test_user_that_decodes_to_an_unsafe_name_is_refused(text: str) -> None:
    with pytest.raises(GitError) as caught:
        parse_url(text)
    assert caught.value.reason is GitReason.URL_INVALID


@pytest.mark.parametrize("text", ["file:///srv/x", "git://host/x", "http://host/x"])
@pytest.mark.rule("running.allow-lists", "running.protocols")
def test_other_protocols_are_refused_unless_allowed(text: str) -> None:
    with pytest.raises(GitError, match="Allowed are https, ssh") as caught:
        parse_url(text)
    assert caught.value.reason is GitReason.PROTOCOL_NOT_ALLOWED
    assert parse_url(text, allow_protocols=ALL).fetch_url == text


@given(st.text(max_size=60) | st.from_regex(r"(https|ssh)://[^\x00-\x20]{0,30}", fullmatch=True))
@pytest.mark.rule("paths.hostile-urls")
def test_any_text_is_a_safe_url_or_refused(text: str) -> None:
    try:
        url = parse_url(text)
    except GitError:
        return
    assert not url.fetch_url.startswith("-")
    assert not url.host.startswith("-")
    assert url.scheme in ("https", "ssh")
    assert not any(character.isspace() or not character.isprintable() for character in url.fetch_url)


def _resolving(*addresses: str) -> Any:
    def resolve(host: str, port: int, **_: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    return resolve


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "::127.0.0.1",
    ],
)
@pytest.mark.rule("paths.private-hosts")
def test_private_address_is_refused_as_a_name_and_as_a_literal(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    for url, resolve in (
        (parse_url("https://host.example/x"), _resolving("93.184.216.34", address)),
        (parse_url(f"https://{host}/x"), None),
    ):
        with pytest.raises(GitError, match=r"kiok\.gitsync\.allow\.private\.hosts") as caught:
            check_host(url, frozenset(), resolve)
        assert caught.value.reason is GitReason.HOST_NOT_ALLOWED


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "localhost", "localhost."])
@pytest.mark.rule("paths.private-hosts")
def test_other_forms_of_the_loopback_address_are_refused(host: str) -> None:
    with pytest.raises(GitError) as caught:
        check_host(parse_url(f"https://{host}/x"), frozenset())
    assert caught.value.reason is GitReason.HOST_NOT_ALLOWED


def test_public_host_returns_the_addresses_to_connect_to() -> None:
    resolve = _resolving("93.184.216.34", "2606:2800:220:1::1", "93.184.216.34")
    addresses = check_host(parse_url("https://host.example/x"), frozenset(), resolve)
    assert addresses == ("93.184.216.34", "2606:2800:220:1::1")


@pytest.mark.parametrize("allowed", ["git.internal", "GIT.internal.", "10.1.2.3", "10.1.0.0/16"])
@pytest.mark.rule("paths.allowed-hosts")
def test_private_host_is_allowed_by_name_address_or_network(allowed: str) -> None:
    url = parse_url("ssh://git@git.internal/x")
    assert check_host(url, frozenset({allowed}), _resolving("10.1.2.3")) == ("10.1.2.3",)


@pytest.mark.parametrize("allowed", ["internal", "it.internal", "10.2.0.0/16", "10.1.2.4", "*"])
@pytest.mark.rule("paths.allowed-hosts")
def test_allowing_another_host_does_not_allow_it(allowed: str) -> None:
    with pytest.raises(GitError):
        check_host(parse_url("ssh://git@git.internal/x"), frozenset({allowed}), _resolving("10.1.2.3"))


def test_unresolved_name_is_a_transient_error() -> None:
    def resolve(*_: object, **__: object) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(GitError, match="cannot be resolved") as caught:
        check_host(parse_url("https://host.example/x"), frozenset(), resolve)
    assert caught.value.transient
