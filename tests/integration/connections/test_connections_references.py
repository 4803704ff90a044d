"""References to connections in texts: resolved values and errors."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiok.connections import references
from kiok.connections.errors import MalformedReference, UnknownReference
from kiok.connections.models import Connection
from kiok.placeholders import TextKind, parse
from tests.support.connection_rows import make

pytestmark = pytest.mark.django_db

SECRET = "s3cr3t-hunter2-äöü"


def test_references_are_replaced_and_everything_else_stays() -> None:
    make("db.prod", password="pw", user="me")
    Connection(id="api.key", type=Connection.Type.SECRET).set_properties({"value": "k"})
    text = (
        "${conn.db.prod.user}:${conn.db.prod.password} ${secret.api.key} ${HOME} $conn.a.b #{ds} ${connx.a.b}"
    )
    assert references.resolve(text) == "me:pw k ${HOME} $conn.a.b #{ds} ${connx.a.b}"


def test_references_in_a_resolved_value_are_not_resolved() -> None:
    make("a", one="${conn.a.two}", two="\\1 secret")
    assert references.resolve("${conn.a.one}") == "${conn.a.two}"
    assert references.resolve("${conn.a.two}") == "\\1 secret"


def test_many_texts_read_each_connection_once(django_assert_num_queries: Callable[..., object]) -> None:
    make("a", x="1")
    make("b", y="2")
    texts = {str(n): "${conn.a.x}${conn.b.y}${conn.a.x}" for n in range(10)}
    with django_assert_num_queries(3):  # type: ignore[attr-defined]
        assert references.resolve_all(texts) == {str(n): "121" for n in range(10)}


def test_a_text_without_references_needs_no_database(
    django_assert_num_queries: Callable[..., object],
) -> None:
    with django_assert_num_queries(0):  # type: ignore[attr-defined]
        assert references.resolve("echo ${HOME}") == "echo ${HOME}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${conn.no.key}", "there is no connection 'no' (needed for its property 'key')"),
        ("${conn.db.pasword}", "connection 'db' has no property 'pasword'; did you mean 'password'?"),
        ("${secret.no}", "there is no secret 'no' (needed for its property 'value')"),
        ("${secret.db}", "connection 'db' has no property 'value'"),
        ("${secret.empty}", "connection 'empty' has no property 'value'"),
    ],
)
def test_an_unknown_reference_names_connection_and_property_and_no_value(text: str, message: str) -> None:
    make("db", password=SECRET)
    Connection.objects.create(id="empty", type=Connection.Type.SECRET)
    with pytest.raises(UnknownReference) as caught:
        references.resolve(f"x {text} ${{conn.db.password}}")
    assert message in str(caught.value)
    assert SECRET not in str(caught.value)


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
def test_references_accepted_by_the_compiler_resolve_at_run_time(text: str) -> None:
    try:
        found = references.find(text)
    except MalformedReference:
        assert parse(text, TextKind.SCRIPT, ()).problems
    else:
        assert all(reference.text in text for reference in found)


def test_the_longest_id_of_a_connection_is_meant() -> None:
    make("livy", **{"s3.access.key": "short", "s3.other": "other"})
    make("livy.s3", **{"access.key": "long"})
    text = "${conn.livy.s3.access.key} $${conn.livy.s3.access.key} ${conn.livy.x}"
    assert references.resolve(text.replace(" ${conn.livy.x}", "")) == "long $${conn.livy.s3.access.key}"
    with pytest.raises(UnknownReference, match=r"connection 'livy.s3' has no property 'other'"):
        references.resolve("${conn.livy.s3.other}")
    Connection.objects.get(pk="livy.s3").delete()
    assert references.resolve("${conn.livy.s3.access.key} ${conn.livy.s3.other}") == "short other"


@pytest.mark.parametrize("type_", Connection.Type.values)
def test_a_secret_is_the_value_of_a_connection_of_any_type(type_: str) -> None:
    Connection(id="token", type=type_).set_properties({"value": "v"})
    assert references.resolve("${secret.token}") == "v"
