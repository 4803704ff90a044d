"""Strategies for hostile urls, refs and folder names, and the expected results."""

from __future__ import annotations

import socket
from typing import Any

from hypothesis import strategies as st

from gitsync.git.errors import GitError, GitReason
from gitsync.git.ref import Ref, parse_ref
from gitsync.git.url import RemoteUrl, parse_url

PUBLIC = "93.184.216.34"

# What attacks are made of; hypothesis puts them together.
HOSTILE = (
    *("\n", "\r", "\0", "\t", " ", "\x1b[2J", "\x7f", "\u202e", "\u2028", "\ufeff", "\udc80", "🙂", "é", "ﬀ"),
    *("-", "--", "--upload-pack=touch x", "-oProxyCommand=touch x", "--exec=x", "-c", "ext::sh -c x"),
    *("%0a", "%00", "%2d", "%2f", "%2e%2e", "%", "%zz", "%25eth0", "%40", "%3a", "%5c"),
    *(
        "@",
        ":",
        "/",
        "//",
        "\\",
        "?",
        "#",
        "[",
        "]",
        "..",
        "./",
        "~",
        "^",
        "*",
        "@{",
        "{}",
        ".lock",
        ".git",
        "::",
    ),
    *(";touch x", "$(touch x)", "`touch x`", "|x", "&x", "'", '"', "$HOME", "${IFS}", "!"),
)
SCHEMES = (
    "https://",
    "ssh://",
    "HTTPS://",
    "http://",
    "git://",
    "file://",
    "ext::",
    "fd::3",
    "",
    "https:/",
    "ssh:",
)
HOSTS = (
    *(
        "git.example",
        "git.example.",
        "GIT.Example",
        "a_b.example",
        "xn--mnchen-3ya.example",
        "münchen.example",
    ),
    *(
        "ｇｉｔ.example",
        "1。1。1。1",
        "127.1",
        "0x7f.1",
        "2130706433",
        "017700000001",
        "localhost",
        "-x",
        "a..b",
    ),
    *("[::1]", "[::ffff:7f00:1]", "[fe80::1%25eth0]", "[1:2]", "[", "]", "[::1]x", "[v1.x]", ""),
)
USERS = ("", "git@", "user:pass@", ":@", "@", "a@b@", "-x@", "%0a@", "x%20y@", "a" * 50 + "@")
PORTS = ("", ":22", ":443", ":0", ":65536", ":-1", ":x", ":٢٢", ":022", ":")
PLAIN = ("dags", "team/dags.git", "main", "v1", "prod", "x")

hostile_text = st.lists(st.sampled_from(HOSTILE + PLAIN) | st.text(max_size=4), max_size=6).map("".join)
urls = (
    st.tuples(*map(st.sampled_from, (SCHEMES, USERS, HOSTS, PORTS, ("/", ":", ""))), hostile_text).map(
        "".join
    )
    | hostile_text
)
# Most of what is above is refused. These come through often, so that what follows the parsers is tried too.
_tame = st.lists(
    st.sampled_from(("dags", "é", "%41", "a b", "-", "$(x)", "'", ".", "~", "+", ",", ";x", "=")), max_size=5
)
likely_urls = st.builds(
    "{}{}{}/{}".format,
    st.sampled_from(("https://", "ssh://git@", "ssh://a+b%40c@", "https://ada@")),
    st.sampled_from(("git.example", "[2606:2800:220:1::1]", "93.184.216.34", "a_b.example")),
    st.sampled_from(("", ":22", ":2222")),
    _tame.map(lambda parts: "x" + "".join(parts)),
) | st.builds("git@git.example:x{}".format, _tame.map("".join))
refs = st.builds(
    "{}{}".format,
    st.sampled_from(("", "tag:", "refs/heads/", "refs/tags/", "commit:", "semver:")),
    hostile_text,
)
likely_refs = st.builds(
    "{}x{}".format, st.sampled_from(("", "tag:", "refs/heads/", "refs/tags/")), _tame.map("".join)
) | st.sampled_from(("commit:" + "a" * 40, "semver:^1.2", "semver:>=1.0 <2"))


def in_words(error: GitError, *reasons: GitReason) -> None:
    """Assert that the error has one of these reasons and that its message can be shown to users."""
    assert error.reason in reasons, str(error)
    assert len(str(error)) < 1500
    assert str(error).isprintable()


def parsed(url: str) -> RemoteUrl | None:
    try:
        return parse_url(url)
    except GitError as error:
        in_words(error, GitReason.URL_INVALID, GitReason.PROTOCOL_NOT_ALLOWED)
        return None


def parsed_ref(ref: str) -> Ref | None:
    try:
        return parse_ref(ref)
    except GitError as error:
        in_words(error, GitReason.REF_INVALID)
        return None


def resolving(*addresses: str) -> Any:
    def resolve(host: str, port: int, **_: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    return resolve
