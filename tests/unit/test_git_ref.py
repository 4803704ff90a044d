"""Branch and tag names."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitsync.git.errors import GitError, GitReason
from gitsync.git.ref import Ref, RefKind, is_well_formed, parse_ref


@pytest.mark.parametrize(
    ("text", "kind", "name", "full_name"),
    [
        ("main", RefKind.BRANCH, "main", "refs/heads/main"),
        ("team/prod", RefKind.BRANCH, "team/prod", "refs/heads/team/prod"),
        ("refs/heads/x", RefKind.BRANCH, "x", "refs/heads/x"),
        ("heads/x", RefKind.BRANCH, "heads/x", "refs/heads/heads/x"),
        ("tag:v1", RefKind.TAG, "v1", "refs/tags/v1"),
        ("refs/tags/v1/rc", RefKind.TAG, "v1/rc", "refs/tags/v1/rc"),
        ("größe", RefKind.BRANCH, "größe", "refs/heads/größe"),
    ],
)
def test_a_ref_has_a_kind_and_a_full_name(text: str, kind: RefKind, name: str, full_name: str) -> None:
    ref = parse_ref(text)
    assert (ref.kind, ref.name, ref.full_name) == (kind, name, full_name)
    assert parse_ref(str(ref)) == ref == parse_ref(full_name)


@pytest.mark.parametrize(
    "text",
    [
        *("", "tag:", "HEAD", "refs/", "refs/pull/1/head", "-x", "tag:--upload-pack=x", "refs/heads/-x"),
        *("a b", "a..b", "a~1", "a^", "a:b", "a?", "a*", "a[b", "a\\b", "a@{1}", "/a", "a/", "a//b", ".a"),
        *("a/.b", "a.lock", "a.lock/b", "a.", "a\nb", "a\0b", "a\x7f", "a\u202eb", "x" * 600, "commit:abc"),
    ],
)
def test_what_is_no_branch_or_tag_is_refused(text: str) -> None:
    with pytest.raises(GitError, match="Write a branch") as caught:
        parse_ref(text)
    assert caught.value.reason is GitReason.REF_INVALID


_PIECES = st.sampled_from(
    [*"ab/.@{-~^:?*[\\é+ \x01\x7f\t\u2028", "..", "@{", ".lock", "lock", "//", "refs/heads/"]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_PIECES, max_size=8).map("".join) | st.text(st.characters(codec="utf-8"), max_size=20))
def test_the_rules_are_those_of_git(name: str) -> None:
    name = name.replace("\0", "")
    for full_name in (name, "refs/heads/" + name):
        if full_name.startswith("-"):
            continue  # git takes it for an option
        done = subprocess.run(["git", "check-ref-format", full_name], capture_output=True, check=False)
        assert is_well_formed(full_name) == (done.returncode == 0), full_name


def test_a_ref_is_a_value() -> None:
    assert Ref(RefKind.TAG, "v1") == parse_ref("tag:v1")
    assert len({parse_ref("main"), parse_ref("refs/heads/main")}) == 1
