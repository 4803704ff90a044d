"""Clients that may read `/metrics`, and those that may not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from tests.support.metrics_page import LOCAL

TOKEN = "a-token-of-enough-characters"


# Read access.


@pytest.mark.django_db
def test_a_client_with_the_token_reads_from_anywhere(settings: Settings) -> None:
    settings.KIOK_WEB_METRICS_TOKEN = TOKEN
    settings.KIOK = replace(settings.KIOK, web_tls=True)
    headers = {"host": "10.0.0.7:8000", "authorization": f"Bearer {TOKEN}", "x-forwarded-for": "192.0.2.1"}
    assert Client(REMOTE_ADDR="192.0.2.7").get("/metrics", headers=headers).status_code == 200
    headers["authorization"] = f"bearer {TOKEN}"
    assert Client(REMOTE_ADDR="192.0.2.7").get("/metrics", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer é",
    ],
)
@pytest.mark.django_db
def test_without_the_token_no_metric_is_served_even_locally(
    settings: Settings, django_assert_num_queries: Callable[[int], Any], authorization: str | None
) -> None:
    settings.KIOK_WEB_METRICS_TOKEN = TOKEN
    headers = LOCAL if authorization is None else {**LOCAL, "authorization": authorization}
    with django_assert_num_queries(0):
        answer = Client().get("/metrics", headers=headers)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer ")
    assert b"kiok_" not in answer.content
    assert TOKEN.encode() not in answer.content


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.0.1", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:8000"])
@pytest.mark.django_db
def test_without_a_configured_token_local_clients_read_metrics(address: str, host: str) -> None:
    assert Client(REMOTE_ADDR=address).get("/metrics", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("192.0.2.1", LOCAL),
        ("10.0.0.1", LOCAL),
        ("::ffff:192.0.2.1", LOCAL),
        ("", LOCAL),
        ("127.0.0.1", {"host": "kiok.example.com"}),
        ("127.0.0.1", {"host": "localhost.example.com"}),
        ("127.0.0.1", {"host": ""}),
        ("127.0.0.1", {**LOCAL, "x-forwarded-for": "127.0.0.1"}),
        ("127.0.0.1", {**LOCAL, "x-forwarded-proto": "http"}),
        ("127.0.0.1", {**LOCAL, "x-forwarded-host": "localhost"}),
        ("127.0.0.1", {**LOCAL, "x-real-ip": "127.0.0.1"}),
        ("127.0.0.1", {**LOCAL, "forwarded": "for=127.0.0.1"}),
        ("127.0.0.1", {**LOCAL, "via": "1.1 proxy"}),
    ],
)
@pytest.mark.django_db
def test_without_a_configured_token_only_local_clients_are_served(
    django_assert_num_queries: Callable[[int], Any], address: str, headers: dict[str, str]
) -> None:
    with django_assert_num_queries(0):
        answer = Client(REMOTE_ADDR=address).get("/metrics", headers=headers)
    assert answer.status_code == 403
    assert b"KIOK_WEB_METRICS_TOKEN" in answer.content
    assert b"kiok_" not in answer.content


@pytest.mark.parametrize(
    "values", [{"web_tls": True}, {"web_trusted_origins": ("https://kiok.example.com",)}]
)
def test_behind_a_proxy_a_token_is_needed(settings: Settings, values: dict[str, Any]) -> None:
    settings.KIOK = replace(settings.KIOK, **values)
    assert Client().get("/metrics", headers=LOCAL).status_code == 403
