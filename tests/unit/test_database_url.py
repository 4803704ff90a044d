"""The URL of the database."""

from __future__ import annotations

import pytest

from kiok.server import database_url
from kiok.server.errors import ConfigurationError


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgresql://us%40er:p%2Fw%3A@DB.example:6543/na%20me?sslmode=require",
            {"USER": "us@er", "PASSWORD": "p/w:", "HOST": "db.example", "PORT": "6543", "NAME": "na me"},
        ),
        ("postgres://u@/n?host=/var/run/Pg", {"USER": "u", "HOST": "/var/run/Pg", "PORT": "", "NAME": "n"}),
        ("postgresql://u@%2Fvar%2Frun%2FPg:5433/n", {"HOST": "/var/run/Pg", "PORT": "5433"}),
        ("postgresql://u@[::1]:5432/n", {"HOST": "::1", "PORT": "5432"}),
        ("postgresql:///n", {"USER": "", "PASSWORD": "", "HOST": "", "NAME": "n"}),
    ],
)
def test_a_database_url_is_decoded(url: str, expected: dict[str, str]) -> None:
    parsed = database_url.parse(url)
    assert {key: parsed[key] for key in expected} == expected
    assert parsed["ENGINE"] == "django.db.backends.postgresql"
    assert parsed["OPTIONS"].get("sslmode") == ("require" if "sslmode" in url else None)


def test_a_server_of_a_lost_machine_is_abandoned_within_a_minute() -> None:
    found = database_url.parse("postgresql://u@h/n")["OPTIONS"]
    idle, interval, count = (int(found[f"keepalives_{name}"]) for name in ("idle", "interval", "count"))
    assert idle + interval * count <= 60
    assert int(found["tcp_user_timeout"]) <= 30_000
    requested = "keepalives_idle=300&tcp_user_timeout=0"
    given = database_url.parse(f"postgresql://u@h/n?{requested}")["OPTIONS"]
    assert given == found | {"keepalives_idle": "300", "tcp_user_timeout": "0"}


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://u:hunter2@h/n", "PostgreSQL is the only database"),
        ("sqlite:///hunter2", "PostgreSQL is the only database"),
        ("postgresql://u:hunter2@h", "names no database"),
        ("postgresql://u:hunter2@h:port/n", "cannot be parsed"),
        ("postgresql://u:hunter2#x@h/n", "write it as %23|cannot be parsed|names no database"),
        ("postgresql://u:hunter2@h/n?sslmod=require", "unknown parameter 'sslmod'"),
        ("postgresql://u:hunter2%00@h/n", "its password holds a NUL character"),
        ("postgresql://u%00:hunter2@h/n", "its user holds a NUL character"),
        ("postgresql://u:hunter2@h/n%00", "its name holds a NUL character"),
        ("postgresql://u:hunter2@h/n?options=%00", "its options holds a NUL character"),
    ],
)
def test_a_bad_database_url_is_refused_without_its_password(url: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        database_url.parse(url)
    assert "hunter2" not in str(caught.value)
