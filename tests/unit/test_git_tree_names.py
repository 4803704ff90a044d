"""Names of a commit's tree: the searches over all of them refuse whatever the search in a single name refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsync.git.tree import TreeLimits, _are_plain, _refusal

LIMITS = TreeLimits(max_path_bytes=12)
# Letters of one to four bytes, and everything that a refusal depends on.
NAMES = st.text(st.sampled_from("aé€😀:./\n\x7f\x85\udc80\u202e "), max_size=14)


@given(st.lists(NAMES, max_size=4))
def test_plain_names_are_never_refused(paths: list[str]) -> None:
    if _are_plain(paths, LIMITS):
        assert [_refusal(path, LIMITS) for path in paths] == [None] * len(paths)


@pytest.mark.parametrize(
    "paths", [[], ["a.yaml"], ["dags/a b.py", ".github/x", "dags/...", "a:b"], ["é/€"], ["x" * 12]]
)
def test_ordinary_names_are_plain(paths: list[str]) -> None:
    assert _are_plain(paths, LIMITS)


@pytest.mark.parametrize("odd", ["a::b", "a//b", "/a", "a/", ".", "a/../b", "..", "\x1b", "\udcff", "x" * 13])
def test_one_odd_name_is_noticed_among_others(odd: str) -> None:
    assert _refusal(odd, LIMITS)
    assert not _are_plain(["dags/a.py", odd, "dags/b.py"], LIMITS)
