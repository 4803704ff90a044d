"""Connections: what is stored, under which key, and who can read it."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from kiok.connections import envelope, redaction, references
from kiok.connections.errors import (
    ConnectionsError,
    InvalidProperty,
    MalformedReference,
    MasterKeyMissing,
    MasterKeyTooShort,
    MasterKeyWrong,
    Reason,
    Tampered,
    UnknownReference,
)
from kiok.connections.models import Connection, DataKey
from kiok.connections.rotation import reencrypt
from kiok.errors import KiokError

pytestmark = pytest.mark.django_db

SECRET = "s3cr3t-hunter2-äöü"


@pytest.fixture(autouse=True)
def _empty_registry() -> Iterator[None]:
    redaction.forget()
    yield
    redaction.forget()


def with_master_key(key: str | None) -> override_settings:
    return override_settings(KIOK_MASTER_KEY=lambda: key)


def make(id: str = "git-main", **values: str) -> Connection:
    made = Connection(id=id)
    made.set_properties(values)
    return made


def stored(id: str) -> Connection:
    return Connection.objects.get(pk=id)


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


def test_without_a_master_key_nothing_is_stored_and_the_error_says_what_to_do() -> None:
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
            with pytest.raises(MasterKeyWrong, match="does not open data key 1"):
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
    assert sorted(reasons) == sorted(Reason)


# What can be stored.


@pytest.mark.parametrize("name", ["", "a.b", "a b", "-a", "a=b", "ä", "a" * 101, "a\n"])
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


def test_updating_sets_and_removes_what_is_named_and_keeps_the_rest() -> None:
    made = make(kept="1", changed="2", gone="3")
    made.update_properties({"changed": "new", "added": "4"}, remove={"gone"})
    assert stored("git-main").properties() == {"kept": "1", "changed": "new", "added": "4"}


def test_an_update_from_a_stale_copy_loses_nothing() -> None:
    stale = make(a="1")
    stored("git-main").update_properties({"b": "2"})
    stale.update_properties({"c": "3"})
    assert stored("git-main").properties() == {"a": "1", "b": "2", "c": "3"}


# Rotation.


def rotate(*arguments: str) -> str:
    output = StringIO()
    call_command("rotate_key", *arguments, stdout=output, stderr=output)
    return output.getvalue()


def versions() -> set[int]:
    return {value["v"] for c in Connection.objects.all() for value in c.sealed.values()}


def test_after_a_rotation_old_values_are_read_and_new_ones_are_under_the_new_key() -> None:
    make("old", token="1")
    assert "data key 2 is active" in rotate()
    make("new", token="2")
    assert versions() == {1, 2}
    assert stored("old").properties() == {"token": "1"}
    assert stored("new").properties() == {"token": "2"}
    assert [(k.version, k.active) for k in DataKey.objects.order_by("version")] == [(1, False), (2, True)]


def test_reencrypting_brings_every_connection_under_the_new_key() -> None:
    for number in range(120):
        make(f"c{number:03}", token=str(number))
    before = stored("c000").updated_at
    assert "120 connections encrypted anew, 0 were already" in rotate("--reencrypt")
    assert versions() == {2}
    DataKey.objects.filter(version=1).delete()
    assert [stored(f"c{n:03}").properties()["token"] for n in range(120)] == [str(n) for n in range(120)]
    assert stored("c000").updated_at == before


def test_an_interrupted_reencryption_goes_on_where_it_stopped() -> None:
    for number in range(3):
        make(f"c{number}", token=str(number))
    rotate()
    stored("c0").reencrypt(DataKey.current())
    assert versions() == {1, 2}
    assert "2 connections encrypted anew, 1 were already" in rotate("--reencrypt-only")
    assert versions() == {2}
    assert DataKey.objects.count() == 2
    assert "0 connections encrypted anew, 3 were already" in rotate("--reencrypt-only")


def test_one_damaged_connection_is_reported_and_stops_no_other() -> None:
    bad = make("bad", token="1")
    make("good", token="2")
    bad.sealed["token"]["c"] = "AAAA"
    bad.save()
    rotate()
    output = StringIO()
    with pytest.raises(CommandError, match="1 connections were left as they are"):
        call_command("rotate_key", "--reencrypt-only", stdout=output, stderr=output)
    assert "connection 'bad': the stored property 'token' was altered" in output.getvalue()
    assert stored("good").sealed["token"]["v"] == 2
    assert stored("bad").sealed["token"]["v"] == 1


def test_a_connection_under_a_data_key_that_is_gone_is_reported_and_stops_no_other() -> None:
    make("lost", token="1")
    rotate()
    make("kept", token="2")
    DataKey.objects.filter(version=1).delete()
    rotate()
    result = reencrypt()
    assert (result.changed, result.current, len(result.failures)) == (1, 0, 1)
    assert stored("kept").sealed["token"]["v"] == 3


def test_without_the_master_key_rotation_says_so_and_changes_nothing() -> None:
    make(token="1")
    with with_master_key(None), pytest.raises(CommandError, match="no master key"):
        rotate()
    assert DataKey.objects.count() == 1


def at_once(count: int, action: Callable[[int], object]) -> None:
    """Run `action(0..count-1)` in threads that begin together, each with a database connection of its own."""
    errors: list[BaseException] = []
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            barrier.wait(20)
            action(number)
        except BaseException as exc:  # noqa: BLE001 - handed to the test below, whatever it is
            errors.append(exc)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []


@pytest.mark.django_db(transaction=True)
def test_the_first_key_is_made_once_when_many_store_at_once() -> None:
    at_once(8, lambda number: make(f"c{number}", token=str(number)))
    assert DataKey.objects.count() == 1
    assert [stored(f"c{n}").properties() for n in range(8)] == [{"token": str(n)} for n in range(8)]


@pytest.mark.django_db(transaction=True)
def test_rotations_re_encryptions_and_edits_at_once_lose_no_value() -> None:
    for number in range(6):
        make(f"c{number}", base=str(number))

    def act(number: int) -> None:
        if number < 2:
            DataKey.rotate()
            reencrypt()
        else:
            for turn in range(5):
                stored(f"c{turn}").update_properties({f"p{number}": str(turn)})

    at_once(6, act)
    assert DataKey.objects.filter(active=True).count() == 1
    assert DataKey.objects.count() == 3
    for turn in range(5):
        expected = {"base": str(turn), **{f"p{number}": str(turn) for number in range(2, 6)}}
        assert stored(f"c{turn}").properties() == expected


# References.


def test_references_are_replaced_and_everything_else_stays() -> None:
    make("db.prod", password="pw", user="me")
    Connection(id="api.key", type=Connection.Type.SECRET).set_properties({"value": "k"})
    text = (
        "${conn.db.prod.user}:${conn.db.prod.password} ${secret.api.key} ${HOME} $conn.a.b #{ds} ${connx.a.b}"
    )
    assert references.resolve(text) == "me:pw k ${HOME} $conn.a.b #{ds} ${connx.a.b}"


def test_what_a_reference_brings_in_is_not_looked_through_again() -> None:
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
    ("text", "says"),
    [
        ("${conn.no.key}", "there is no connection 'no' (wanted for its 'key')"),
        ("${conn.db.pasword}", "connection 'db' has no property 'pasword'; did you mean 'password'?"),
        ("${secret.no}", "there is no secret 'no' (wanted for its 'value')"),
        ("${secret.db}", "connection 'db' is of type 'generic', not 'secret' (wanted for its 'value')"),
        ("${secret.empty}", "connection 'empty' has no property 'value'"),
    ],
)
def test_an_unknown_reference_names_connection_and_property_and_no_value(text: str, says: str) -> None:
    make("db", password=SECRET)
    Connection.objects.create(id="empty", type=Connection.Type.SECRET)
    with pytest.raises(UnknownReference) as caught:
        references.resolve(f"x {text} ${{conn.db.password}}")
    assert says in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["${conn.}", "${conn.a}", "${conn..b}", "${secret.}", "${secret.a b}", "${conn.a b.c}"]
)
def test_a_malformed_reference_is_an_error_that_shows_the_form(text: str) -> None:
    with pytest.raises(MalformedReference, match="is no reference; wanted is"):
        references.find(text)


# Redaction.


def test_what_was_decrypted_is_redacted_from_then_on_in_every_form() -> None:
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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fetch https://u:p@h.example/r failed", "fetch https://[redacted]@h.example/r failed"),
        ("https://token123@h/r", "https://[redacted]@h/r"),
        ("https://u:p@ss@h/r", "https://[redacted]@h/r"),
        ("ssh://git@h/r and git@h:r", "ssh://git@h/r and git@h:r"),
        ("Authorization: Basic dTpw", "Authorization: Basic [redacted]"),
        ("mail me@example.com", "mail me@example.com"),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----.", "[redacted]."),
    ],
)
def test_what_looks_like_a_credential_is_redacted_though_nobody_registered_it(
    text: str, expected: str
) -> None:
    assert redaction.redact(text) == expected


def test_the_registry_is_bounded_and_short_values_are_left_out() -> None:
    redaction.register(["main"])
    assert redaction.redact("branch main") == "branch main"
    redaction.register(f"secret-{number}-x" for number in range(redaction.MAX_SECRETS + 1))
    assert redaction.redact("secret-0-x secret-1-x") == "secret-0-x [redacted]"


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
