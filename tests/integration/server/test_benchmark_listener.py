"""The clock of the benchmarks: database events and their times."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection

from benchmarks.told import Told

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def url() -> Iterator[str]:
    """Return the connection string of the test's database, which has a table `told`."""
    given = connection.get_connection_params()
    known = {name: given[name] for name in ("dbname", "host", "port", "user", "password") if given.get(name)}
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE told (number int)")
    yield psycopg.conninfo.make_conninfo(**known)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE told; DROP FUNCTION tell_come; DROP FUNCTION tell_grown")


def test_an_event_is_reported_on_commit_and_not_before(url: str) -> None:
    told = Told(url)
    told.tell_of("come", "INSERT", "told")
    told.tell_of("grown", "UPDATE", "told", "NEW.number > OLD.number")
    with told, psycopg.connect(url, autocommit=True) as other:
        with other.transaction():
            other.execute("INSERT INTO told VALUES (1)")
            with pytest.raises(SystemExit, match="not within"):
                told.until("come", 0.5)
        assert told.until("come", 180).keys() == {"come"}
        other.execute("UPDATE told SET number = 0")
        other.execute("UPDATE told SET number = 2")
        other.execute("INSERT INTO told VALUES (3)")
        heard = told.until("come", 180)
    assert heard.keys() == {"grown", "come"}
    assert heard["grown"] < heard["come"]
