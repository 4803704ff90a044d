"""Hostile urls, refs and subpaths: refused with a message, or normalized and passed to git as a value."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gitsync.git.client import GitClient, GitSettings
from gitsync.git.errors import GitError, GitReason
from gitsync.git.mirror import Mirror
from gitsync.git.ref import parse_ref
from gitsync.git.scope import is_within, parse_subpath
from gitsync.git.tree import GitTree, PathKind
from gitsync.git.url import check_host, parse_url
from tests.support.servers.repositories import WorkRepo
from tests.unit.hostile_git import (
    HOSTILE,
    PLAIN,
    PUBLIC,
    hostile_text,
    in_words,
    likely_refs,
    likely_urls,
    parsed,
    parsed_ref,
    refs,
    resolving,
    urls,
)


@settings(max_examples=500, deadline=None)
@given(urls | likely_urls)
@example("https://git.example/" + "a" * 5000)
@example("ssh://git.example\n/x")
@example("https://[fe80::1%25eth0]/x")
@example("https:/git.example/?")
@example("git@git.example:/srv/a%41#?.git")
@pytest.mark.rule("paths.hostile-urls", "paths.schemes")
def test_url_is_refused_or_has_one_normal_form(text: str) -> None:
    url = parsed(text)
    if url is None:
        return
    assert url.scheme in ("https", "ssh")
    assert url.fetch_url.isprintable()
    assert not any(character.isspace() for character in url.fetch_url)
    assert not any(part.startswith("-") for part in (url.fetch_url, url.host, url.user or "", url.path[1:]))
    assert url.host == url.host.lower()
    assert url.host.isascii()
    # Git gets no user over https; ask for it again with what git does get.
    handed = replace(url, user=None) if url.scheme == "https" else url
    assert parse_url(url.fetch_url) == handed
    assert ":" not in (url.user or "")


def test_scheme_with_a_missing_slash_is_not_read_as_a_host() -> None:
    with pytest.raises(GitError, match="too few slashes after https") as caught:
        parse_url("https:/git.example/dags")
    assert caught.value.reason is GitReason.URL_INVALID


def test_scp_path_means_the_same_to_git_as_a_url() -> None:
    """Git does not decode a `%` in the scp form, but decodes it in a url."""
    assert parse_url("git@git.example:/srv/a%41#?.git").path == "/srv/a%2541%23%3F.git"


@settings(max_examples=500, deadline=None)
@given(refs | likely_refs)
@pytest.mark.rule("paths.ref-format", "paths.full-names")
def test_ref_is_refused_or_has_one_full_name(text: str) -> None:
    ref = parsed_ref(text)
    if ref is None:
        return
    assert parse_ref(str(ref)) == ref
    assert ref.full_name.isprintable()
    assert ref.full_name.startswith(("refs/heads/", "refs/tags/")) or set(ref.full_name) <= set(
        "0123456789abcdef"
    )
    assert not ref.name.startswith("-")
    assert ":" not in ref.full_name, "it would be a refspec of its own"


@settings(max_examples=500, deadline=None)
@given(hostile_text | st.lists(st.sampled_from((*PLAIN, *HOSTILE)), max_size=5).map("/".join))
@pytest.mark.rule("paths.subpath-form", "paths.subpath-components")
def test_subpath_is_refused_or_is_a_plain_folder(text: str) -> None:
    try:
        path = parse_subpath(text)
    except GitError as error:
        in_words(error, GitReason.SUBPATH_INVALID)
        return
    assert parse_subpath(path) == path
    assert not path.startswith("/")
    assert {"", ".", ".."}.isdisjoint(path.split("/")) or path == ""
    assert "\\" not in path
    assert "::" not in path
    assert is_within(f"{path}/a.yaml".lstrip("/"), path)
    assert path == "" or not is_within(f"{path}2/a.yaml", path)


class TestPrivateAddresses:
    """Private addresses in any form: no connection is made to them."""

    NETWORKS = (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32"),
    )

    @staticmethod
    def spellings(address: ipaddress.IPv4Address) -> Iterator[str]:
        number = int(address)
        a, b, c, d = address.packed
        yield str(address)
        yield str(number)
        yield hex(number)
        yield f"0{number:o}"
        yield f"{a}.{number & 0xFFFFFF}"
        yield f"{a}.{b}.{number & 0xFFFF}"
        yield f"0x{a:x}.0{b:o}.{c}.{d}"
        yield f"0{a:o}.0{b:o}.0{c:o}.0{d:o}"
        yield f"{address}."
        yield f"[::ffff:{address}]"
        yield f"[::ffff:{number >> 16:x}:{number & 0xFFFF:x}]"
        yield f"[::{address}]"
        yield f"[64:ff9b::{address}]"
        yield f"[2002:{number >> 16:x}:{number & 0xFFFF:x}::1]"

    @settings(max_examples=60, deadline=None)
    @given(st.sampled_from(NETWORKS).flatmap(lambda net: st.ip_addresses(v=4, network=net)))
    @pytest.mark.rule("paths.private-hosts")
    def test_forms_of_a_private_address_are_refused(self, address: ipaddress.IPv4Address) -> None:
        for spelling in self.spellings(address):
            for text in (f"https://{spelling}/x", f"ssh://git@{spelling}:2222/x", f"git@{spelling}:x"):
                with pytest.raises(GitError) as caught:
                    check_host(parse_url(text), frozenset())
                assert caught.value.reason in (
                    GitReason.HOST_NOT_ALLOWED,
                    GitReason.URL_INVALID,
                    GitReason.NETWORK,  # it is no address at all, and no name either
                ), text

    @settings(max_examples=60, deadline=None)
    @given(st.sampled_from(NETWORKS).flatmap(lambda net: st.ip_addresses(v=4, network=net)), st.booleans())
    @pytest.mark.rule("paths.private-hosts")
    def test_name_with_a_public_and_a_private_address_is_refused(
        self, address: ipaddress.IPv4Address, public_first: bool
    ) -> None:
        found = [PUBLIC, str(address)] if public_first else [str(address), PUBLIC]
        with pytest.raises(GitError) as caught:
            check_host(parse_url("https://git.example/x"), frozenset(), resolving(*found))
        assert caught.value.reason is GitReason.HOST_NOT_ALLOWED

    @settings(max_examples=100, deadline=None)
    @given(urls | likely_urls)
    @pytest.mark.rule("paths.private-hosts")
    def test_connected_addresses_are_public(self, text: str) -> None:
        url = parsed(text)
        if url is None:
            return
        try:
            addresses = check_host(url, frozenset(), _numeric_only)
        except GitError as error:
            in_words(error, GitReason.HOST_NOT_ALLOWED, GitReason.NETWORK)
            return
        assert addresses
        assert all(ipaddress.ip_address(found).is_global for found in addresses)


def _numeric_only(host: str, port: int, **options: Any) -> list[Any]:
    """Resolve numeric hosts as the operating system does, without a name server."""
    return socket.getaddrinfo(host, port, flags=socket.AI_NUMERICHOST, **options)


FOLDERS = (
    "-x",
    "--all",
    "$(touch x)",
    "`x`",
    ";x",
    "a b",
    "é",
    "'",
    '"',
    "*",
    "?",
    "[a]",
    ":(top)",
    ":!x",
    "~",
    "%2e",
    "HEAD",
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> GitTree:
    root = tmp_path_factory.mktemp("folders")
    work = WorkRepo(root / "served")
    commit = work.publish({f"{name}/a.yaml": "dag: {id: a}\n" for name in FOLDERS})
    file = frozenset({"file"})
    mirror = Mirror(root / "m", GitClient(GitSettings(home=root / "home", allow_protocols=file)))
    fetched = mirror.fetch(parse_url(work.file_url, allow_protocols=file), parse_ref("main"), None)
    assert fetched == commit
    return mirror.tree(commit)


class TestFolders:
    """Allowed subpaths that look like commands are treated as plain folders."""

    @pytest.mark.parametrize("name", FOLDERS)
    @pytest.mark.rule("paths.subpath-in-tree")
    def test_only_the_folder_with_the_hostile_name_is_found(self, tree: GitTree, name: str) -> None:
        subpath = parse_subpath(name)
        assert tree.kind_of(subpath) is PathKind.FOLDER
        assert [entry.path for entry in tree.entries if is_within(entry.path, subpath)] == [f"{name}/a.yaml"]

    @settings(max_examples=200, deadline=None)
    @given(hostile_text)
    @pytest.mark.rule("paths.subpath-in-tree")
    def test_missing_subpath_is_reported_as_missing(self, tree: GitTree, text: str) -> None:
        try:
            subpath = parse_subpath(text)
        except GitError:
            return
        known = subpath == "" or subpath.split("/")[0] in FOLDERS
        assert known or tree.kind_of(subpath) not in (PathKind.FOLDER, PathKind.FILE)
