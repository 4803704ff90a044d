"""Connections: stored values, read access, and redaction of values that were read."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from kiok.connections import envelope, redaction
from kiok.connections.errors import (
    ConnectionReason,
    ConnectionsError,
    InvalidProperty,
    MasterKeyMissing,
    MasterKeyTooShort,
    MasterKeyWrong,
    Tampered,
)
from kiok.connections.models import Connection, DataKey
from kiok.errors import KiokError
from tests.support.connection_rows import make, stored, with_master_key

pytestmark = pytest.mark.django_db

SECRET = "s3cr3t-hunter2-äöü"


@pytest.fixture(autouse=True)
def _empty_registry() -> Iterator[None]:
    redaction.forget()
    yield
    redaction.forget()


def database_text() -> str:
    """Everything in this app's tables, as PostgreSQL writes it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(string_agg(c::text, ''), '') FROM connections_connection c "
            "UNION ALL SELECT coalesce(string_agg(k::text, ''), '') FROM connections_datakey k"
        )
        return "".join(row[0] for row in cursor.fetchall())


def test_properties_come_back_as_they_were_stored() -> None:
    values = {"password": SECRET, "privateKey": "-----BEGIN X-----\nline\n-----END X-----\n", "empty": ""}
    make(**values)
    assert stored("git-main").properties() == values
    assert stored("git-main").property_names() == ["empty", "password", "privateKey"]


def test_no_value_is_in_the_database_in_any_encoding() -> None:
    make(password=SECRET)
    text = database_text()
    raw = SECRET.encode()
    assert "git-main" in text
    for form in (SECRET, raw.hex(), base64.b64encode(raw).decode(), "hunter2", b"hunter2".hex()):
        assert form not in text


def test_the_same_value_is_never_stored_as_the_same_bytes() -> None:
    made = make(a=SECRET, b=SECRET)
    assert len({value["c"] for value in made.sealed.values()}) == 2
    assert len({value["n"] for value in made.sealed.values()}) == 2


def test_a_value_moved_to_another_property_is_refused() -> None:
    made = make(a="one", b="two")
    made.sealed["a"], made.sealed["b"] = made.sealed["b"], made.sealed["a"]
    made.save()
    with pytest.raises(Tampered, match="connection 'git-main': the stored property 'a' was altered"):
        stored("git-main").properties()


def test_a_value_moved_to_another_connection_is_refused() -> None:
    one, other = make("one", token="1"), make("other", token="2")
    other.sealed = one.sealed
    other.save()
    with pytest.raises(Tampered):
        stored("other").properties()


def test_a_value_that_claims_another_key_version_is_refused() -> None:
    made = make(token="1")
    DataKey.rotate()
    made.sealed["token"]["v"] = 2
    made.save()
    with pytest.raises(Tampered):
        stored("git-main").properties()


@pytest.mark.parametrize(
    "damage",
    [
        {"c": "AAAA"},
        {"c": ""},
        {"n": "AAAA"},
        {"n": base64.b64encode(bytes(12)).decode()},
        {"c": "not base64!"},
        {"v": None},
        {"n": 1},
    ],
)
def test_a_damaged_value_is_refused(damage: dict[str, object]) -> None:
    made = make(token="1")
    made.sealed["token"].update(damage)
    made.save()
    with pytest.raises(Tampered):
        stored("git-main").properties()


def test_a_stored_value_that_is_no_object_is_refused() -> None:
    made = make(token="1")
    made.sealed["token"] = "1"
    made.save()
    with pytest.raises(Tampered):
        stored("git-main").properties()


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
    st.text(max_size=20),
    st.text(max_size=20),
)
def test_sealing_and_opening_are_inverse_and_bound_to_their_place(value: str, one: str, other: str) -> None:
    key = bytes(range(32))
    sealed = envelope.seal(key, 1, one, other, value)
    assert envelope.open_sealed(key, one, other, sealed) == value
    for wrong in ((one + "x", other), (one, other + "x"), (one + other, "")):
        if wrong != (one, other):
            with pytest.raises(Tampered):
                envelope.open_sealed(key, *wrong, sealed)


# The master key.


def test_without_a_master_key_nothing_is_stored_and_the_error_has_a_remedy() -> None:
    with (
        with_master_key(None),
        pytest.raises(MasterKeyMissing, match="set the environment variable KIOK_MASTER_KEY"),
    ):
        make(token="1")
    assert not Connection.objects.exists()
    assert not DataKey.objects.exists()


def test_a_short_master_key_is_refused() -> None:
    with with_master_key("x" * 31), pytest.raises(MasterKeyTooShort, match="has 31 characters; it needs 32"):
        make(token="1")


def test_another_master_key_neither_reads_nor_writes_nor_rotates() -> None:
    made = make(token="1")
    with with_master_key("another master key of enough characters"):
        for attempt in (
            stored("git-main").properties,
            lambda: made.set_properties({"a": "b"}),
            DataKey.rotate,
        ):
            with pytest.raises(MasterKeyWrong, match="does not decrypt data key 1"):
                attempt()
    assert DataKey.objects.count() == 1
    assert stored("git-main").properties() == {"token": "1"}


def test_names_can_be_listed_without_the_master_key() -> None:
    make(token="1")
    with with_master_key(None):
        assert stored("git-main").property_names() == ["token"]


def test_every_error_has_a_reason_and_is_one_of_ours() -> None:
    assert issubclass(ConnectionsError, KiokError)
    reasons = [error.reason for error in ConnectionsError.__subclasses__()]
    assert sorted(reasons) == sorted(ConnectionReason)


# What can be stored.


@pytest.mark.parametrize("name", ["", ".b", "b.", "a b", "-a", "a=b", "ä", "a" * 101, "a\n"])
def test_a_property_name_that_references_could_not_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidProperty, match="property name"):
        make(**{name: "x"})


@pytest.mark.parametrize("value", ["a\0b", "\ud800", "x" * (256 * 1024 + 1)])
def test_a_value_that_cannot_be_stored_is_refused_without_being_shown(value: str) -> None:
    with pytest.raises(InvalidProperty) as caught:
        make(password=value)
    assert "'password'" in str(caught.value)
    assert value[:3] not in str(caught.value).replace("password", "")


@pytest.mark.parametrize("id", ["", "-a", "a b", "a/b", "ä", "a\n"])
def test_the_database_itself_refuses_a_bad_id(id: str) -> None:
    with pytest.raises(IntegrityError, match="connections_id_pattern"), transaction.atomic():
        Connection.objects.create(id=id)


def test_an_update_changes_the_named_properties_and_keeps_the_rest() -> None:
    made = make(kept="1", changed="2", gone="3")
    made.update_properties({"changed": "new", "added": "4"}, remove={"gone"})
    assert stored("git-main").properties() == {"kept": "1", "changed": "new", "added": "4"}


def test_an_update_from_a_stale_copy_loses_nothing() -> None:
    stale = make(a="1")
    stored("git-main").update_properties({"b": "2"})
    stale.update_properties({"c": "3"})
    assert stored("git-main").properties() == {"a": "1", "b": "2", "c": "3"}


# Redaction.


def test_decrypted_values_are_redacted_in_every_form() -> None:
    secret = 'pa"ss w/ord\n+äöü-of-twenty'
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----\n"
    make(password=secret, privateKey=key, username="deployer")
    stored("git-main").properties()
    import json
    from urllib.parse import quote

    for part in secret.splitlines():
        encoded = base64.b64encode(part.encode()).decode()
        for form in (
            part,
            quote(part, safe=""),
            json.dumps(part)[1:-1],
            repr(part)[1:-1],
            encoded,
            encoded.rstrip("="),
        ):
            assert form not in redaction.redact(f"error: {form}"), form
    assert "b3BlbnNzaC1rZXktdjEA" not in redaction.redact("x b3BlbnNzaC1rZXktdjEA y")
    assert redaction.redact("user deployer") == "user deployer"


def test_a_log_record_is_one_line_without_secrets() -> None:
    import logging

    from kiok.server.logging import LineFormatter

    make(password=SECRET)
    stored("git-main").properties()
    failure = ValueError(f"login with {SECRET}\nfailed")
    error = (ValueError, failure, None)
    record = logging.LogRecord(
        "a.b", logging.ERROR, "f", 1, "bad %s\r\nforged line \x1b[0m", (SECRET,), error
    )
    record.created = 0.25
    line = LineFormatter().format(record)
    assert line.startswith("1970-01-01T00:00:00.")
    assert "ERROR a.b: bad [redacted]\\r\\nforged line \\x1b[0m | ValueError: " in line
    assert line.endswith("ValueError: login with [redacted] | failed")
    assert len(line.splitlines()) == 1
