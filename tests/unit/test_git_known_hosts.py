"""Parsing of known_hosts as ssh-keygen does it, and of the refs of a server."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsync.git.known_hosts import keys_for, with_key
from gitsync.git.remote_refs import parse_refs

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINwkZMCvxm5MBQTqDJbVjPlHZS6jTpRKG7S9u2eS9vqb"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG9bMJmzbGpVBzEAtrGmTqfrsZa3u5wr0wRKHrzkB2lf"


def found_by_ssh_keygen(tmp_path: Path, text: str, name: str) -> bool:
    file = tmp_path / "known_hosts"
    file.write_text(text)
    done = subprocess.run(["ssh-keygen", "-F", name, "-f", str(file)], capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.parametrize(
    ("hosts", "name"),
    [
        ("git.example.com", "git.example.com"),
        ("git.example.com", "example.com"),
        ("git.example.com,10.0.0.1", "10.0.0.1"),
        ("GIT.example.com", "git.example.com"),
        ("*.example.com", "git.example.com"),
        ("*.example.com", "example.com"),
        ("git?.example.com", "git1.example.com"),
        ("*.example.com,!git.example.com", "git.example.com"),
        ("*.example.com,!git.example.com", "ci.example.com"),
        ("[git.example.com]:2222", "[git.example.com]:2222"),
        ("[git.example.com]:2222", "git.example.com"),
        ("git.example.com", "[git.example.com]:2222"),
        ("[a-g]it.example.com", "git.example.com"),
        ("@cert-authority *.example.com", "git.example.com"),
        ("@revoked git.example.com", "git.example.com"),
        ("#git.example.com", "git.example.com"),
    ],
)
def test_line_matches_a_host_exactly_as_in_ssh_keygen(tmp_path: Path, hosts: str, name: str) -> None:
    text = f"# a comment\n\n{hosts} {KEY} of ours\n"
    assert bool(keys_for(text, name)) == found_by_ssh_keygen(tmp_path, text, name)


def test_hashed_names_are_found(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"git.example.com {KEY}\n[git.example.com]:22022 {OTHER}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(file)], check=True, capture_output=True)
    hashed = file.read_text()
    assert "example" not in hashed
    assert keys_for(hashed, "git.example.com") == (KEY,)
    assert keys_for(hashed, "[git.example.com]:22022") == (OTHER,)
    assert keys_for(hashed, "other.example.com") == ()


def test_key_is_returned_with_its_marker() -> None:
    assert keys_for(f"@revoked a {KEY} x\na {OTHER}", "a") == (f"@revoked {KEY}", OTHER)


@pytest.mark.parametrize("before", ["", "\n", f"other {OTHER}", f"other {OTHER}\r\n"])
def test_added_key_is_found_and_existing_lines_are_kept(before: str) -> None:
    text = with_key(before, "[a]:22", KEY)
    assert keys_for(text, "[a]:22") == (KEY,)
    assert keys_for(text, "other") == keys_for(before, "other")
    assert text.endswith("\n")


@pytest.mark.parametrize(
    "key", ["", "ssh-ed25519", f"{KEY}\nb {OTHER}", f"x {KEY}", "ssh-ed25519 a b", f"{KEY} "]
)
def test_invalid_key_is_not_added(key: str) -> None:
    with pytest.raises(ValueError, match="is not a host key"):
        with_key("", "a", key)


@given(st.text(), st.text(min_size=1))
def test_any_known_hosts_text_is_read_without_an_error(text: str, name: str) -> None:
    keys_for(text, name)


def test_many_wildcards_are_matched_quickly() -> None:
    assert keys_for(f"{'*a' * 5000}b {KEY}", "a" * 250) == ()


# What ls-remote prints.

SHA = "0123456789" * 4
PEELED = "abcdef0123" * 4


def test_branches_tags_and_default_branch_are_read() -> None:
    refs = parse_refs(
        f"ref: refs/heads/trunk\tHEAD\n{SHA}\tHEAD\n{SHA}\trefs/heads/a/b\n{SHA}\trefs/heads/trunk\n"
        f"{SHA}\trefs/pull/1/head\n{SHA}\trefs/tags/v1\n{PEELED}\trefs/tags/v1^{{}}\n{SHA}\trefs/tags/v2\n".encode()
    )
    assert refs.branches == {"a/b": SHA, "trunk": SHA}
    assert refs.tags == {"v1": PEELED, "v2": SHA}
    assert refs.default_branch == "trunk"


@given(st.binary(max_size=300))
def test_any_ref_list_is_read_into_printable_names(output: bytes) -> None:
    refs = parse_refs(b"a\trefs/heads/" + output)
    for name in (*refs.branches, *refs.tags, refs.default_branch):
        assert name.isprintable()
