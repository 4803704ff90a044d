"""`KIOK_REDIS_URL`: required with Redis only, refused if invalid, never in a log."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiok.connections.redaction import redact
from kiok.server import keys, properties
from kiok.server.errors import ConfigurationError


def test_redis_url_is_read_if_the_broker_is_redis(tmp_path: Path) -> None:
    for url in ("redis://:a-pass-word@cache:6379/0", "rediss://cache", "unix:///run/redis.sock"):
        assert keys.redis_url({"KIOK_REDIS_URL": url}, "redis") == url
        assert keys.redis_url({"KIOK_REDIS_URL": url}, "postgresql") is None
    assert redact("lost a-pass-word") == "lost [redacted]"
    (tmp_path / "url").write_text("redis://cache\n")
    assert keys.redis_url({"KIOK_REDIS_URL_FILE": str(tmp_path / "url")}, "redis") == "redis://cache"
    assert not properties.load({"KIOK_REDIS_URL": "redis://cache", "KIOK_BROKER": "Redis"}).warnings


@pytest.mark.parametrize("url", ["cache:6379", "http://cache", "redis://", "redis://[half"])
def test_invalid_redis_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError, match="value not shown") as caught:
        keys.redis_url({"KIOK_REDIS_URL": url}, "redis")
    assert url not in str(caught.value).replace("redis://[user", "")


def test_redis_without_a_url_is_an_error_that_names_the_variable() -> None:
    with pytest.raises(ConfigurationError, match=r"KIOK_REDIS_URL.*kiok\.broker to postgresql"):
        keys.redis_url({}, "redis")
