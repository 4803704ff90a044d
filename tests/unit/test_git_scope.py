"""The scope of a repository: its folder, and the files that match `include`."""

from __future__ import annotations

import pytest

from gitsync.git.errors import GitPersonError, GitReason
from gitsync.git.scope import parse_scope


def test_scope_is_the_folder_and_the_included_files_outside() -> None:
    decide = parse_scope("/team/dags/", "# helpers\n\n*.py\n!test_*.py\n/config/*.json\nassets/").decider()
    wanted = [
        "team/dags/x",
        "team/dags/test_a.py",
        "a.py",
        "b/c.py",
        "config/a.json",
        "x/assets/y/z",
        ".kiokignore",
    ]
    unwanted = [
        "team/dags2/x",
        "team/x",
        "test_a.py",
        "b/test_c.py",
        "x/config/a.json",
        "config/d/a.json",
    ]
    unwanted += ["x/assets", "x/.kiokignore", "team/dagsx"]
    assert [path for path in wanted if not decide(path)] == []
    assert [path for path in unwanted if decide(path)] == []
    assert decide("team/.kiokignore")


def test_scope_without_a_folder_is_the_whole_repository() -> None:
    assert parse_scope("", "*.py").is_whole
    assert parse_scope("/", "").decider()("anything")


@pytest.mark.parametrize(
    ("include", "match"),
    [
        ("*.py\n\x1b[2J", "line 2 .*unprintable"),
        ("*.py\n\n!", r"line 3 .*'!', is not a valid pattern"),
        ("x" * 17_000, "longer than 16384 bytes"),
        ("a\udc80", "line 1 .*unprintable"),
    ],
)
def test_invalid_pattern_is_refused_with_its_line(include: str, match: str) -> None:
    with pytest.raises(GitPersonError, match=match) as caught:
        parse_scope("dags", include)
    assert caught.value.reason is GitReason.INCLUDE_INVALID


def test_patterns_with_many_wildcards_are_matched_quickly() -> None:
    decide = parse_scope("dags", "*a*a*a*a*a*a*a*a*a*a*b\n" + "**/a/" * 20 + "b").decider()
    assert not decide("a" * 4000)
    assert not decide("a/" * 500 + "c")
