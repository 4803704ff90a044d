"""Parsing of the subpath, the folder that is synced."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsync.git.errors import GitError, GitReason
from gitsync.git.scope import is_within, parse_subpath


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("/", ""),
        (".", ""),
        ("dags", "dags"),
        ("/dags/", "dags"),
        ("a/b c/d", "a/b c/d"),
        ("a...b", "a...b"),
        (".dags", ".dags"),
        ("größe", "größe"),
    ],
)
def test_subpath_has_one_form(text: str, expected: str) -> None:
    assert parse_subpath(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("..", "../a", "a/..", "a/../b", "./a", "a/.", "a//b", "//", "//a", "a//", "a\\b", "a\nb", "a\0"),
        *("a\x7f", "a::b", "x" * 1025, "é" * 513, "a\u202eb"),
    ],
)
@pytest.mark.rule("paths.subpath-form")
def test_invalid_subpath_is_refused(text: str) -> None:
    with pytest.raises(GitError, match="Enter a relative folder") as caught:
        parse_subpath(text)
    assert caught.value.reason is GitReason.SUBPATH_INVALID


@given(st.text(st.sampled_from("ab./\\:"), max_size=12))
@pytest.mark.rule("paths.subpath-form")
def test_parsed_subpath_is_plain_and_parses_to_itself(text: str) -> None:
    try:
        path = parse_subpath(text)
    except GitError:
        return
    assert parse_subpath(path) == path
    assert path == "" or all(component not in ("", ".", "..") for component in path.split("/"))


@pytest.mark.rule("paths.subpath-components")
def test_paths_are_compared_by_components() -> None:
    assert is_within("foo/a.yaml", "foo")
    assert is_within("foo", "foo")
    assert is_within("anything", "")
    assert not is_within("foo2/a.yaml", "foo")
    assert not is_within("foo", "foo/bar")
