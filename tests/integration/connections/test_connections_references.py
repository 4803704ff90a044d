"""References to connections in texts: where they are, and the connections that they may mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiok.connections import references
from kiok.connections.errors import MalformedReference
from kiok.placeholders import TextKind, parse


def test_references_are_found_and_everything_else_is_text() -> None:
    text = "${conn.db.prod.user} ${secret.api.key} ${HOME} $conn.a.b #{ds} ${connx.a.b} $${conn.a.b}"
    found = [(item.text, item.connection, item.property, item.secret) for item in references.find(text)]
    assert found == [
        ("${conn.db.prod.user}", "db.prod", "user", False),
        ("${secret.api.key}", "api.key", "value", True),
    ]


@pytest.mark.parametrize(
    "text", ["${conn.}", "${conn.a}", "${conn..b}", "${secret.}", "${secret.a b}", "${conn.a b.c}"]
)
def test_a_malformed_reference_is_an_error_that_shows_the_form(text: str) -> None:
    with pytest.raises(MalformedReference, match=r"is not a valid reference: .*allowed"):
        references.find(text)


parts = st.sampled_from(
    ["$", "${", "}", "conn", "secret", ".", "a", "b-1", "_", " ", "\n", "ä", "/", "x" * 101]
)


@given(st.lists(parts, max_size=12).map("".join))
def test_references_accepted_by_the_compiler_are_found_at_run_time(text: str) -> None:
    try:
        found = references.find(text)
    except MalformedReference:
        assert parse(text, TextKind.SCRIPT, ()).problems
    else:
        assert all(reference.text in text for reference in found)


@pytest.mark.parametrize(
    ("text", "readings"),
    [
        ("${conn.a.b}", [("a", "b")]),
        ("${conn.livy.s3.key}", [("livy.s3", "key"), ("livy", "s3.key")]),
        ("${secret.a.b}", [("a.b", "value")]),
    ],
)
def test_a_reference_may_mean_any_id_and_the_longest_comes_first(
    text: str, readings: list[tuple[str, str]]
) -> None:
    (reference,) = references.find(text)
    assert [*reference.readings()] == readings


def test_ids_that_are_too_long_for_a_connection_are_not_meant() -> None:
    (reference,) = references.find(f"${{conn.a.{'b' * 98}.c.d}}")
    assert [*reference.readings()] == [("a.%s" % ("b" * 98), "c.d"), ("a", f"{'b' * 98}.c.d")]
