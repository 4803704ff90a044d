"""Secrets from the environment and from files, and the generated master key."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiok.server import keys, properties
from kiok.server.errors import ConfigurationError


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from the file\n")
    assert keys.from_environment("X", {"X_FILE": str(tmp_path / "key")}) == "from the file"
    assert keys.from_environment("X", {"X": "direct", "X_FILE": ""}) == "direct"
    assert keys.from_environment("X", {"X": ""}) is None


def test_a_secret_that_cannot_be_had_stops_the_start_without_being_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="both set"):
        keys.from_environment("X", {"X": "hunter2", "X_FILE": "/f"})
    with pytest.raises(ConfigurationError, match="No such file"):
        keys.from_environment("X", {"X_FILE": str(tmp_path / "no")})
    (tmp_path / "empty").touch()
    with pytest.raises(ConfigurationError, match="is empty"):
        keys.from_environment("X", {"X_FILE": str(tmp_path / "empty")})


@pytest.mark.parametrize("value", ["hunter2\udcff", "hunter2\0"])
def test_a_secret_that_is_no_text_stops_the_start_without_being_shown(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^X holds .*value not shown") as caught:
        keys.from_environment("X", {"X": value})
    assert "hunter2" not in str(caught.value)
    (tmp_path / "key").write_bytes(b"hunter2\0")
    with pytest.raises(ConfigurationError, match=r"^X_FILE: .* holds a NUL character"):
        keys.from_environment("X", {"X_FILE": str(tmp_path / "key")})


def test_a_generated_key_is_private_stable_and_long(tmp_path: Path) -> None:
    first = keys.secret_key({}, tmp_path / "data")
    assert keys.secret_key({}, tmp_path / "data") == first
    assert len(first) >= 50
    assert (tmp_path / "data" / keys.SECRET_KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "data").iterdir()] == [keys.SECRET_KEY_FILE]


def test_a_master_key_is_generated_only_for_the_embedded_database(tmp_path: Path) -> None:
    assert keys.master_key({}, tmp_path, embedded=False) is None
    assert list(tmp_path.iterdir()) == []
    made = keys.master_key({}, tmp_path, embedded=True)
    assert made
    assert keys.master_key({}, tmp_path, embedded=True) == made
    assert keys.master_key({"KIOK_MASTER_KEY": "given"}, tmp_path, embedded=True) == "given"


def test_the_token_of_the_metrics_is_given_or_there_is_none(tmp_path: Path) -> None:
    assert keys.metrics_token({}) is None
    assert keys.metrics_token({keys.METRICS_TOKEN: ""}) is None
    (tmp_path / "token").write_text("0123456789abcdef\n")
    assert keys.metrics_token({f"{keys.METRICS_TOKEN}_FILE": str(tmp_path / "token")}) == "0123456789abcdef"
    assert not properties.load({keys.METRICS_TOKEN: "x", f"{keys.METRICS_TOKEN}_FILE": ""}).warnings


@pytest.mark.parametrize("token", ["hunter2", "hunter2" * 3 + " ", "hunter2 hunter2 hunter2", "hünter2" * 3])
def test_a_token_that_is_invalid_or_easy_to_guess_stops_the_start(token: str) -> None:
    with pytest.raises(ConfigurationError, match=r"KIOK_WEB_METRICS_TOKEN.*openssl") as caught:
        keys.metrics_token({keys.METRICS_TOKEN: token})
    assert "nter2" not in str(caught.value)
