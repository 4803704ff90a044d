"""Guessing of passwords and tokens: limited by account and address, logged without the secret, counted."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client, RequestFactory
from django.utils import timezone
from pytest_django import Settings

from gitsync.models import token_text
from kiok.authentication.client_address import client_address
from kiok.authentication.models import AuthenticationFailure, FailureKind

pytestmark = pytest.mark.django_db(transaction=True)

LOGIN = "/admin/login/?next=/admin/"
PASSWORD = "correct horse battery"
LIMIT = 10


@pytest.fixture
def ada(transactional_db: None) -> User:
    return User.objects.create_superuser("ada", password=PASSWORD)


def log_in(password: str, *, user: str = "ada", address: str = "203.0.113.7", **headers: str) -> Any:
    """The answer to the login form; a new client each time, since guesses send no cookies back."""
    return Client(REMOTE_ADDR=address).post(LOGIN, {"username": user, "password": password}, headers=headers)


def is_in(answer: Any) -> bool:
    return bool(answer.status_code == 302)


def guess(times: int, **options: Any) -> None:
    for number in range(times):
        assert not is_in(log_in(f"wrong {number}", **options))


def test_an_account_is_locked_only_for_the_address_that_guesses(ada: User) -> None:
    guess(LIMIT)
    refused = log_in(PASSWORD)
    assert refused.status_code == 429
    page = refused.content.decode()
    assert "Too many failed logins" in page
    assert "After 10 wrong passwords" in page
    assert "600 seconds" in page
    assert log_in("wrong").status_code == 429
    assert is_in(log_in(PASSWORD, address="203.0.113.8")), "the attacker locks nobody else out"
    User.objects.create_superuser("eve", password=PASSWORD)
    assert is_in(log_in(PASSWORD, user="eve")), "another account from the same address"


def test_a_lockout_expires_and_guesses_do_not_prolong_it(ada: User) -> None:
    guess(LIMIT)
    begun = AccessAttempt.objects.get().attempt_time
    for _ in range(20):
        assert log_in("wrong").status_code == 429
    assert AccessAttempt.objects.get().attempt_time == begun
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(seconds=601))
    assert is_in(log_in(PASSWORD))
    assert not AccessAttempt.objects.exists()


def test_a_right_password_resets_the_count_of_failures(ada: User) -> None:
    for _ in range(3):
        guess(LIMIT - 1)
        assert is_in(log_in(PASSWORD))


def test_the_limits_are_those_of_the_properties(ada: User, settings: Settings) -> None:
    settings.KIOK = replace(settings.KIOK, web_login_lockout_ms=60_000)
    settings.AXES_FAILURE_LIMIT = 2
    guess(2)
    assert log_in(PASSWORD).status_code == 429
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(seconds=61))
    assert is_in(log_in(PASSWORD))


def test_attempts_that_are_over_leave_no_rows(ada: User) -> None:
    for number in range(30):
        log_in("wrong", user=f"nobody {number}", address=f"198.51.100.{number}")
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(hours=1))
    log_in("wrong")
    assert AccessAttempt.objects.count() == 1


def test_refused_logins_are_logged_and_counted_without_their_input(
    ada: User, caplog: pytest.LogCaptureFixture
) -> None:
    log_in("hunter2hunter2")
    log_in("x", user="typed the password here")  # into the wrong field
    guess(LIMIT)
    log_in(PASSWORD)
    lines = [
        record.getMessage() for record in caplog.records if record.name.startswith("kiok.authentication")
    ]
    assert lines[0] == "refused login of user 'ada': wrong password, from 203.0.113.7"
    assert lines[1] == "refused login of an unknown user: wrong password, from 203.0.113.7"
    assert "locked out for up to 0:10:00, from 203.0.113.7" in lines[-1]
    found = dict(AuthenticationFailure.objects.values_list("kind", "count"))
    assert found == {"password": LIMIT + 1, "locked_out": 2}
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(t::text, '') FROM axes_accessattempt t")
        stored = cursor.fetchone()[0]
    for secret in ("hunter2hunter2", "typed the password here", PASSWORD):
        assert secret not in caplog.text
        assert secret not in stored


def test_guessed_tokens_are_logged_and_counted_without_the_token(
    ada: User, caplog: pytest.LogCaptureFixture, settings: Settings
) -> None:
    settings.KIOK_WEB_METRICS_TOKEN = "m" * 40
    text = token_text.new().text
    client = Client(REMOTE_ADDR="203.0.113.7")
    for given in (text, "kiok_short", "x" * 2000):
        answer = client.get("/api/v1/dags", headers={"Authorization": f"Bearer {given}"})
        assert answer.status_code == 401
    assert client.get("/api/v1/dags").status_code == 401  # no token: no guess
    assert client.get("/metrics", headers={"Authorization": "Bearer guess-guess"}).status_code == 401
    assert client.get("/metrics").status_code == 401
    found = dict(AuthenticationFailure.objects.values_list("kind", "count"))
    assert found == {"api_token": 3}
    assert caplog.text.count("refused an API token: unknown, from 203.0.113.7") == 3
    assert "refused a token for /metrics" in caplog.text
    assert text not in caplog.text
    assert "guess-guess" not in caplog.text
    page = client.get("/metrics", headers={"Authorization": f"Bearer {'m' * 40}"}).content.decode()
    counted = dict(re.findall(r'kiok_authentication_failures_total\{kind="(\w+)"\} (\S+)', page))
    assert counted == {"password": "0.0", "locked_out": "0.0", "api_token": "3.0"}


def test_a_failure_is_counted_once_each_by_many_at_the_same_time(ada: User) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from django.db import connections

    from kiok.authentication.failures import record

    def refuse(_: int) -> None:
        record(FailureKind.API_TOKEN, None, "a test")
        connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(refuse, range(40)))
    assert AuthenticationFailure.objects.get().count == 40


@pytest.mark.parametrize(
    ("proxies", "forwarded", "peer", "expected"),
    [
        (0, "198.51.100.1", "203.0.113.7", "203.0.113.7"),  # the header changes nothing
        (1, "198.51.100.1", "10.0.0.1", "198.51.100.1"),
        (1, "1.1.1.1, 198.51.100.1", "10.0.0.1", "198.51.100.1"),  # what stands before, the client wrote
        (2, "1.1.1.1, 198.51.100.1, 10.0.0.2", "10.0.0.1", "198.51.100.1"),
        (2, "198.51.100.1", "10.0.0.1", "10.0.0.1"),  # past one of the proxies
        (1, "", "10.0.0.1", "10.0.0.1"),
        (1, "unknown", "10.0.0.1", "10.0.0.1"),
        (1, "198.51.100.1:4711", "10.0.0.1", "198.51.100.1"),
        (1, "[2001:db8:1:2:3::4]:4711", "10.0.0.1", "2001:db8:1:2::"),
        (0, "", "2001:db8:1:2:ffff::9", "2001:db8:1:2::"),  # one client has the whole network
        (0, "", "::ffff:203.0.113.7", "203.0.113.7"),
        (0, "", "", None),
    ],
)
def test_only_configured_proxies_give_the_address_of_a_client(
    proxies: int, forwarded: str, peer: str, expected: str | None, settings: Settings
) -> None:
    settings.KIOK = replace(settings.KIOK, web_proxies=proxies)
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    assert client_address(RequestFactory().get("/", REMOTE_ADDR=peer, headers=headers)) == expected


def test_a_forged_header_does_not_end_a_lock_nor_lock_others(ada: User, settings: Settings) -> None:
    for number in range(LIMIT):
        log_in("wrong", **{"X-Forwarded-For": f"192.0.2.{number}"})
    assert log_in(PASSWORD, **{"X-Forwarded-For": "192.0.2.77"}).status_code == 429
    settings.KIOK = replace(settings.KIOK, web_proxies=1)
    assert is_in(log_in(PASSWORD, **{"X-Forwarded-For": "192.0.2.77"}))
    guess(LIMIT, **{"X-Forwarded-For": "192.0.2.78"})
    assert log_in(PASSWORD, **{"X-Forwarded-For": "192.0.2.9, 192.0.2.78"}).status_code == 429
    assert is_in(log_in(PASSWORD, **{"X-Forwarded-For": "192.0.2.78, 192.0.2.79"}))
