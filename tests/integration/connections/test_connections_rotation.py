"""Rotation of the data key: values and their keys, with concurrent writers and damaged rows."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from kiok.connections.models import Connection, DataKey
from kiok.connections.rotation import reencrypt
from tests.support.connection_rows import make, stored, with_master_key
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db


def rotate(*arguments: str) -> str:
    output = StringIO()
    call_command("rotate_key", *arguments, stdout=output, stderr=output)
    return output.getvalue()


def versions() -> set[int]:
    return {value["v"] for c in Connection.objects.all() for value in c.sealed.values()}


def test_after_a_rotation_old_values_are_readable_under_the_new_key() -> None:
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
    assert "120 connections re-encrypted, 0 were already current" in rotate("--reencrypt")
    assert versions() == {2}
    DataKey.objects.filter(version=1).delete()
    assert [stored(f"c{n:03}").properties()["token"] for n in range(120)] == [str(n) for n in range(120)]
    assert stored("c000").updated_at == before


def test_an_interrupted_reencryption_continues_where_it_stopped() -> None:
    for number in range(3):
        make(f"c{number}", token=str(number))
    rotate()
    stored("c0").reencrypt(DataKey.current())
    assert versions() == {1, 2}
    assert "2 connections re-encrypted, 1 were already current" in rotate("--reencrypt-only")
    assert versions() == {2}
    assert DataKey.objects.count() == 2
    assert "0 connections re-encrypted, 3 were already current" in rotate("--reencrypt-only")


def test_one_damaged_connection_is_reported_and_stops_no_other() -> None:
    bad = make("bad", token="1")
    make("good", token="2")
    bad.sealed["token"]["c"] = "AAAA"
    bad.save()
    rotate()
    output = StringIO()
    with pytest.raises(CommandError, match="1 connections could not be re-encrypted"):
        call_command("rotate_key", "--reencrypt-only", stdout=output, stderr=output)
    assert "connection 'bad': the stored property 'token' was altered" in output.getvalue()
    assert stored("good").sealed["token"]["v"] == 2
    assert stored("bad").sealed["token"]["v"] == 1


def test_a_connection_with_a_lost_data_key_is_reported_and_blocks_no_other() -> None:
    make("lost", token="1")
    rotate()
    make("kept", token="2")
    DataKey.objects.filter(version=1).delete()
    rotate()
    result = reencrypt()
    assert (result.changed, result.current, len(result.failures)) == (1, 0, 1)
    assert stored("kept").sealed["token"]["v"] == 3


def test_without_the_master_key_rotation_fails_and_changes_nothing() -> None:
    make(token="1")
    with with_master_key(None), pytest.raises(CommandError, match="no master key"):
        rotate()
    assert DataKey.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_concurrent_writers_create_the_first_key_once() -> None:
    at_once(8, lambda number: make(f"c{number}", token=str(number)))
    assert DataKey.objects.count() == 1
    assert [stored(f"c{n}").properties() for n in range(8)] == [{"token": str(n)} for n in range(8)]


@pytest.mark.django_db(transaction=True)
def test_concurrent_rotations_and_edits_lose_no_value() -> None:
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
