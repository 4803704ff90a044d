"""The rules of a DAG's owner and tags in wire form."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.validated import good, only_problem


def dag(**fields: object) -> dict[str, Any]:
    return {"id": "d", "tasks": [{"id": "a", "script": "echo"}], **fields}


def test_an_owner_and_tags_that_are_not_set_are_absent() -> None:
    assert {"owner", "tags"}.isdisjoint(good(dag(owner=None, tags=[])).to_json())
    assert good(dag(owner=None, tags=[])).canonical_json() == good(dag()).canonical_json()


def test_longest_owner_and_most_tags_are_accepted() -> None:
    tags = [f"{number:02}".ljust(63, "x") for number in range(20)]
    spec = good(dag(owner="x" * 200, tags=tags))
    assert (spec.owner, spec.tags) == ("x" * 200, tuple(tags))


@pytest.mark.parametrize(
    "owner",
    ["", " ", " a", "a ", "a\n", "a\tb", "x" * 201, "a\x00", "\ud800", "a\u202eb", "a\u200bb", "a\u00a0b"],
    ids=ascii,
)
def test_other_owner_is_refused_with_the_rule(owner: str) -> None:
    problem = only_problem(dag(owner=owner))
    assert (problem.dag, problem.key, problem.location) == ("d", "owner", ("owner",))
    assert "is not an owner; allowed: 1 to 200 printable characters" in problem.message


@pytest.mark.parametrize(
    "tag", ["", " a", "-a", ".a", "/a", "a b", "a\n", "ä", "a,b", "<b>", "x" * 64, "\ud800"], ids=ascii
)
def test_other_tag_is_refused_with_the_rule(tag: str) -> None:
    problem = only_problem(dag(tags=["ok", tag]))
    assert (problem.dag, problem.key, problem.location) == ("d", "tags", ("tags", 1))
    assert "is not a tag; allowed: 1 to 63 characters: letters, digits" in problem.message


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("owner", 5, "must be a string, found the number 5 (write it in quotes)"),
        ("owner", ["x"], "must be a string, found a list of 1"),
        pytest.param("owner", "x" * 300, "of 300 characters is not an owner; allowed", id="300 characters"),
        ("tags", "x", "must be a list of tags, found 'x'"),
        ("tags", {"x": 1}, "must be a list of tags, found a mapping of 1"),
        ("tags", [7], "a tag must be a string, found the number 7 (write it in quotes)"),
        ("tags", [None], "a tag must be a string, found null"),
        ("tags", ["x", "y", "x"], "'x' is already tag 1; tags are unique"),
        pytest.param("tags", ["x"] * 21, "a DAG has at most 20 tags, found 21", id="21 tags"),
    ],
)
def test_wrong_owner_or_tags_are_named_with_the_found_value(key: str, value: object, message: str) -> None:
    problem = only_problem(dag(**{key: value}))
    assert message in problem.message
    assert problem.key == key
