"""Parsing of branch and tag names, ranges of versions, and commit ids."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gitsync.git.errors import GitError, GitReason
from gitsync.git.ref import Ref, RefKind, is_well_formed, parse_ref
from gitsync.git.semver import RangeInvalid, choose, release_of


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
@pytest.mark.rule("paths.full-names")
def test_ref_has_a_kind_and_a_full_name(text: str, kind: RefKind, name: str, full_name: str) -> None:
    ref = parse_ref(text)
    assert (ref.kind, ref.name, ref.full_name) == (kind, name, full_name)
    assert parse_ref(str(ref)) == ref == parse_ref(full_name)


@pytest.mark.parametrize(
    "text",
    [
        *("", "tag:", "HEAD", "refs/", "refs/pull/1/head", "-x", "tag:--upload-pack=x", "refs/heads/-x"),
        *("a b", "a..b", "a~1", "a^", "a:b", "a?", "a*", "a[b", "a\\b", "a@{1}", "/a", "a/", "a//b", ".a"),
        *("a/.b", "a.lock", "a.lock/b", "a.", "a\nb", "a\0b", "a\x7f", "a\u202eb", "x" * 600),
    ],
)
def test_invalid_branch_or_tag_is_refused(text: str) -> None:
    with pytest.raises(GitError, match="Enter a branch") as caught:
        parse_ref(text)
    assert caught.value.reason is GitReason.REF_INVALID


_PIECES = st.sampled_from(
    [*"ab/.@{-~^:?*[\\é+ \x01\x7f\t\u2028", "..", "@{", ".lock", "lock", "//", "refs/heads/"]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_PIECES, max_size=8).map("".join) | st.text(st.characters(codec="utf-8"), max_size=20))
@pytest.mark.rule("paths.ref-format")
def test_rules_for_names_are_those_of_git(name: str) -> None:
    name = name.replace("\0", "")
    for full_name in (name, "refs/heads/" + name):
        if full_name.startswith("-"):
            continue  # git takes it for an option
        done = subprocess.run(["git", "check-ref-format", full_name], capture_output=True, check=False)
        assert is_well_formed(full_name) == (done.returncode == 0), full_name


@pytest.mark.parametrize(
    "text",
    ["commit:" + "0a" * 20, "commit:" + "0a" * 32, "semver:^1.2", "semver:>=1.2 <2 || 3.x", "semver:*"],
)
def test_ranges_and_commits_keep_their_text(text: str) -> None:
    ref = parse_ref(text)
    assert str(ref) == text
    assert parse_ref(str(ref)) == ref


def test_commit_is_lower_case_and_range_is_stripped() -> None:
    assert parse_ref("commit:" + "AB" * 20) == Ref(RefKind.COMMIT, "ab" * 20)
    assert parse_ref("semver: ^1 ") == Ref(RefKind.SEMVER, "^1")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("commit:", "has 0 digits"),
        ("commit:abc123", "has 6 digits, but a full commit id has 40"),
        ("commit:" + "a" * 41, "has 41 digits"),
        ("commit:" + "a" * 10 + "g" + "a" * 29, r"has 'g' \(character 18\)"),
        ("commit:main", r"has 'm' \(character 8\)"),
        ("commit:" + "a" * 39 + "\n", r"character 47"),
        ("semver:", "the range is empty"),
        ("semver:   ", "the range is empty"),
        ("semver:latest", r"'latest' \(character 1\) is not a comparator"),
        ("semver:>=1.2,<2", r"'>=1\.2,' \(character 1\) is not a comparator"),
        ("semver:^1 || bar", r"'bar' \(character 7\) is not a comparator"),
        ("semver:>=1.2 <", r"'<' \(character 7\) is not a comparator"),
        ("semver:1 - 2 - 3", r"'1 - 2 - 3' \(character 1\) is not a range"),
        ("semver:^1 ||", r"one side of the '\|\|' is empty \(character 4\)"),
        ("semver:1.\u0663", r"character 3\) is not allowed in a range"),
        ("semver:" + "1 " * 200, "longer than 256 bytes"),
    ],
)
def test_malformed_range_or_commit_is_refused_with_the_position(text: str, match: str) -> None:
    with pytest.raises(GitError, match=match) as caught:
        parse_ref(text)
    assert caught.value.reason is GitReason.REF_INVALID


@pytest.mark.parametrize(
    ("wanted", "tags", "best"),
    [
        ("^1.2", "v1.2.0 v1.10.0 v1.9.0 v2.0.0", "v1.10.0"),
        ("~1.2.3", "1.2.2 1.2.9 1.3.0", "1.2.9"),
        ("1.x || 3.x", "1.0.0 2.0.0 3.0.0 4.0.0", "3.0.0"),
        ("1.2 - 1.4", "1.4.9 1.5.0", "1.4.9"),
        ("*", "0.1.0 0.2.0-rc.1", "0.1.0"),
        # Prereleases only where the range names one of the same version.
        ("^1", "1.0.0 1.1.0-rc.1", "1.0.0"),
        (">=1.1.0-0", "1.0.0 1.1.0-rc.1", "1.1.0-rc.1"),
        (">=1.1.0-0", "1.1.0-rc.9 1.1.0-rc.10 1.1.0-beta", "1.1.0-rc.10"),
        (">=1.1.0-0", "1.1.0-rc.9 1.1.0 1.2.0-rc.1", "1.1.0"),
        # Equal versions: build metadata, then without a `v`.
        ("1.2.3", "1.2.3 1.2.3+7 1.2.3+10", "1.2.3+10"),
        ("1.2.3", "1.2.3+abc 1.2.3+10", "1.2.3+abc"),
        ("1.2.3", "v1.2.3 1.2.3", "1.2.3"),
        ("1.2.3", "1.2.3+x v1.2.3+y", "v1.2.3+y"),
        # What only looks like a version.
        ("*", "v1 v1.2 01.2.3 1.2.3.4 V1.2.3 release-1.2.3 1.2.3- 1.2.3-01 vv1.2.3 1.2.3/x", None),
        ("*", "1.2.\u0663 1.2." + "9" * 5000, None),
        ("^2", "1.0.0", None),
    ],
)
def test_range_chooses_its_highest_release(wanted: str, tags: str, best: str | None) -> None:
    for names in (tags.split(), tags.split()[::-1]):
        chosen = choose(wanted, names).best
        assert (chosen.tag if chosen else None) == best


_RANGE = st.lists(
    st.sampled_from([*"0123456789.xX*<>=~^-+| v", " - ", "||", "1.2.3", "rc.1", "9" * 30, "\t", "é"]),
    max_size=30,
).map("".join)


@settings(max_examples=400, deadline=None)
@given(
    _RANGE | st.text(max_size=40),
    st.lists(st.from_regex(r"v?\d{1,2}\.\d\.\d(-[a-z0-9.]{1,4})?", fullmatch=True)),
)
@example("~>1.2", ["1.2.3"])
@example("1.2.3 - - 2", ["1.2.3"])
def test_any_text_is_refused_or_chooses_one_of_the_tags(text: str, tags: list[str]) -> None:
    try:
        choice = choose(text, tags)
    except RangeInvalid:
        if text.strip(" "):  # around a range spaces do no harm
            with pytest.raises(GitError, match="is not a version range"):
                parse_ref(f"semver:{text}")
        return
    assert parse_ref(f"semver:{text}").kind is RefKind.SEMVER
    assert choice.best is None or choice.best.tag in tags
    orders = [release.order for release in choice.releases]
    assert orders == sorted(orders, reverse=True)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=300) | st.from_regex(r"\Av?[0-9.]+[-+a-z0-9.]*"))
def test_any_tag_name_is_parsed_without_an_error(name: str) -> None:
    release = release_of(name)
    assert release is None or release.tag == name


def test_refs_compare_by_value() -> None:
    assert Ref(RefKind.TAG, "v1") == parse_ref("tag:v1")
    assert len({parse_ref("main"), parse_ref("refs/heads/main")}) == 1
