"""Webhooks: what each git service sends, who is believed, what becomes of it."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.db import connection, connections, transaction
from django.db.models import ProtectedError
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ
from django_q.signing import SignedPackage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gitsync.sync.run
from gitsync import tasks
from gitsync.configuration import DeclarationError, follow_declaration
from gitsync.models import Delivery, Outcome, Repository, SyncRun, Trigger
from gitsync.webhooks import delivery_log
from gitsync.webhooks.views import REFUSAL_SECONDS
from kiok.connections.models import Connection, DataKey
from kiok.metadata.models import Dag
from kiok.server import property_sources
from kiok.server.errors import PropertyError
from kiok.server.service import web_command
from tests.integration import git_services
from tests.integration.cluster import ROOT, eventually, stop, workers
from tests.integration.conftest import yaml_dag
from tests.integration.git_services import SENDERS, Sender
from tests.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "It's a Secret to Everybody"
MAIN = "refs/heads/main"

each_service = pytest.mark.parametrize("sender", SENDERS.values(), ids=list(SENDERS))


@pytest.fixture
def hooked(transactional_db: None) -> Repository:
    """A repository `team` that follows `main`, with a webhook secret."""
    row = Connection(id="team-hook", type=Connection.Type.SECRET)
    row.set_properties({"secret": SECRET})
    return Repository.objects.create(name="team", url="file:///nowhere.git", webhook_secret=row)


def send(
    sender: Sender,
    delivery: git_services.Delivery,
    *,
    identity: str = "72d3162e-cc78-11e3-81ab-4c9367dc0958",
    secret: str = SECRET,
    path: str = "/hooks/team/",
    without: str = "",
    content_type: str = "application/json",
) -> Any:
    """Deliver as the service does; `without` leaves one header out."""
    headers = sender.headers(delivery.event, identity, delivery.body, secret)
    headers = {name: value for name, value in headers.items() if name != without}
    # As an anonymous stranger from elsewhere: without cookies, and with csrf checks.
    client = Client(enforce_csrf_checks=True)
    return client.generic(
        "POST", path, delivery.body, content_type, headers=headers, CONTENT_LENGTH=str(len(delivery.body))
    )


def outcome(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["outcome"]


def requests() -> list[tuple[Any, ...]]:
    """The arguments of the syncs that wait for a worker, but what they go by."""
    packages = [SignedPackage.loads(row.payload) for row in OrmQ.objects.order_by("id")]
    assert all(package["func"] == tasks.SYNC for package in packages)
    return [tuple(package["args"])[:4] for package in packages]


# Each service.


@each_service
def test_a_push_of_the_branch_asks_for_a_sync_and_is_recorded(sender: Sender, hooked: Repository) -> None:
    assert outcome(send(sender, sender.push(MAIN), identity="one")) == (202, "queued")
    assert requests() == [(hooked.pk, "webhook", False, sender.recorded_as)]
    row = Delivery.objects.get()
    assert (row.repository, row.service, row.event) == (hooked, sender.recorded_as, sender.push(MAIN).event)
    assert (row.ref, row.delivery_id, row.status, row.outcome) == (MAIN, "one", 202, "queued")


@each_service
def test_a_delivery_signed_with_another_secret_is_refused(sender: Sender, hooked: Repository) -> None:
    assert outcome(send(sender, sender.push(MAIN), secret="guessed")) == (404, "refused")
    assert requests() == []
    assert Delivery.objects.get().outcome == Outcome.SIGNATURE


@pytest.mark.parametrize("name", sorted(set(SENDERS) - {"gitlab"}))  # its token signs nothing
def test_a_body_that_was_altered_on_the_way_is_refused(name: str, hooked: Repository) -> None:
    sender = SENDERS[name]
    signed = sender.headers(sender.push(MAIN).event, "one", sender.push("refs/heads/other").body, SECRET)
    altered = replace(sender, headers=lambda *_: signed)
    assert outcome(send(altered, sender.push(MAIN))) == (404, "refused")
    assert requests() == []


@each_service
def test_a_delivery_without_a_signature_is_refused(sender: Sender, hooked: Repository) -> None:
    names = [
        name for name in sender.headers("push", "one", b"", SECRET) if "ignature" in name or "Token" in name
    ]
    bare = replace(
        sender,
        headers=lambda *given: {k: v for k, v in sender.headers(*given).items() if k not in names},
    )
    assert sender.signature_header in names
    assert outcome(send(bare, sender.push(MAIN))) == (404, "refused")
    assert requests() == []
    assert Delivery.objects.get().outcome == Outcome.UNSIGNED


@each_service
def test_a_delivery_that_comes_again_asks_for_nothing(sender: Sender, hooked: Repository) -> None:
    send(sender, sender.push(MAIN), identity="one")
    OrmQ.objects.all().delete()
    Repository.objects.update(queued_until=None)
    assert outcome(send(sender, sender.push(MAIN), identity="one")) == (200, "replay")
    assert requests() == []
    assert outcome(send(sender, sender.push(MAIN), identity="two")) == (202, "queued")
    assert list(Delivery.objects.order_by("id").values_list("outcome", flat=True)) == [
        *("queued", "replay", "queued")
    ]


# Followed, changed, whether that matters.
REFS = (
    ("main", "refs/heads/other", False),
    ("main", "refs/tags/main", False),
    ("feature/x", "refs/heads/feature/x", True),
    ("refs/heads/main", MAIN, True),
    ("tag:v1", "refs/tags/v1", True),
    ("tag:v1", "refs/tags/v1.1", False),
    ("tag:v1", "refs/heads/v1", False),
    ("semver:^1.2", "refs/tags/v0.1.0", True),
    ("semver:^1.2", MAIN, False),
    (f"commit:{git_services.SHA}", MAIN, False),
)


@each_service
@pytest.mark.parametrize("what", ["push", "deletion"])
def test_only_what_may_change_the_followed_ref_asks_for_a_sync(
    sender: Sender, what: str, hooked: Repository
) -> None:
    for number, (followed, changed, matters) in enumerate(REFS):
        Repository.objects.update(ref=followed, queued_until=None)
        answer = send(sender, getattr(sender, what)(changed), identity=str(number))
        assert outcome(answer) == ((202, "queued") if matters else (200, "other_ref")), (followed, changed)
        assert Delivery.objects.latest("id").ref == changed
    assert len(requests()) == sum(matters for _, _, matters in REFS)


@pytest.mark.parametrize("name", ["github", "bitbucket-data-center"])  # the others try out with a real event
def test_a_ping_is_answered_and_asks_for_nothing(name: str, hooked: Repository) -> None:
    sender = SENDERS[name]
    assert sender.ping is not None
    assert outcome(send(sender, sender.ping)) == (200, "ping")
    assert requests() == []


@each_service
def test_an_event_that_is_no_push_asks_for_nothing(sender: Sender, hooked: Repository) -> None:
    assert outcome(send(sender, sender.other)) == (200, "not_a_push")
    assert requests() == []


HOSTILE_BODIES = {
    "nothing": b"",
    "garbage": b"\x00\xff{{{",
    "deep": b"[" * 100_000,
    "deep object": b'{"ref":' * 5000 + b"1" + b"}" * 5000,
    "a list": b"[]",
    "null": b"null",
    "no ref": b"{}",
    "wrong types": b'{"ref": {"ref": []}, "ref_type": 1, "changes": [1], "push": {"changes": {}}}',
    "wrong in the list": b'{"ref": null, "changes": [{"ref": "x"}], "push": {"changes": [{"new": {"type": 1}}]}}',
    "an unknown type": b'{"ref": 1, "changes": 1, "push": {"changes": [{"new": {"type": "x", "name": "main"}}]}}',
    "a long integer": b'{"ref": ' + b"1" * 5000 + b"}",
    "utf-16": '{"ref": "refs/heads/main"}'.encode("utf-16"),
}


@each_service
def test_a_signed_body_that_is_not_as_documented_is_refused_as_such(
    sender: Sender, hooked: Repository
) -> None:
    for name, body in HOSTILE_BODIES.items():
        answer = send(sender, replace(sender.push(MAIN), body=body), identity=name)
        assert outcome(answer) == (400, "payload"), name
    assert requests() == []
    assert set(Delivery.objects.values_list("outcome", "ref")) == {("payload", "")}


@each_service
def test_a_body_over_the_limit_is_refused_unread(sender: Sender, hooked: Repository) -> None:
    limit = django_settings.KIOK.gitsync_webhook_max_bytes
    delivery = sender.push(MAIN)
    fits = replace(delivery, body=delivery.body + b" " * (limit - len(delivery.body)))
    assert outcome(send(sender, replace(fits, body=fits.body + b" "))) == (413, "too_large")
    assert Delivery.objects.count() == 0
    assert outcome(send(sender, fits)) == (202, "queued")


# What is particular to one.


def test_a_form_as_github_can_send_it_is_read(hooked: Repository) -> None:
    delivery = git_services.GITHUB.push(MAIN)
    form = "application/x-www-form-urlencoded"
    body = urllib.parse.urlencode({"payload": delivery.body.decode()}).encode()
    sent = replace(delivery, body=body)
    assert outcome(send(git_services.GITHUB, sent, content_type=form)) == (202, "queued")
    for number, broken in enumerate((b"", b"a=b", b"payload=%ff", b"payload=\xff", b"&".join([b"a=b"] * 50))):
        sent = replace(delivery, body=broken)
        answer = send(git_services.GITHUB, sent, content_type=form, identity=str(number))
        assert outcome(answer) == (400, "payload")


def test_one_push_of_several_refs_counts_if_one_of_them_is_followed(hooked: Repository) -> None:
    others = git_services.bitbucket_changes(("refs/heads/a", None), (None, "refs/tags/v1"))
    assert outcome(send(git_services.BITBUCKET, others, identity="1")) == (200, "other_ref")
    several = git_services.bitbucket_changes(("refs/heads/a", None), (MAIN, MAIN))
    assert outcome(send(git_services.BITBUCKET, several, identity="2")) == (202, "queued")
    assert Delivery.objects.first().ref == f"refs/heads/a, {MAIN}"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("secret", "key"),
    [
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")),
        ("whsec_no base64", b"whsec_no base64"),
        (SECRET, SECRET.encode()),
    ],
)
def test_gitlabs_signing_token_is_base64_behind_its_prefix_or_plain(
    secret: str, key: bytes, hooked: Repository
) -> None:
    Connection.objects.get().set_properties({"secret": secret})
    sender = git_services.GITLAB_SIGNED

    def headers(event: str, identity: str, body: bytes, _secret: str) -> dict[str, str]:
        made = sender.headers(event, identity, body, "")
        signature = git_services.standard_signature(identity, made["webhook-timestamp"], body, key)
        return {**made, "webhook-signature": signature}

    assert outcome(send(replace(sender, headers=headers), sender.push(MAIN))) == (202, "queued")


@pytest.mark.parametrize("seconds", ["-400", "+400", "", "soon", "1e9", "٣", "9" * 30])
def test_gitlabs_signature_of_another_time_is_refused(seconds: str, hooked: Repository) -> None:
    if seconds[:1] in "+-" and seconds:
        seconds = str(int(time.time()) + int(seconds))
    delivery = git_services.GITLAB_SIGNED.push(MAIN)

    def headers(event: str, identity: str, body: bytes, secret: str) -> dict[str, str]:
        made = git_services.GITLAB_SIGNED.headers(event, identity, body, secret)
        signature = git_services.standard_signature(identity, seconds, body, secret.encode())
        return {**made, "webhook-timestamp": seconds, "webhook-signature": signature}

    assert outcome(send(replace(git_services.GITLAB_SIGNED, headers=headers), delivery)) == (404, "refused")


def test_one_of_several_signatures_is_enough_while_gitlabs_key_changes(hooked: Repository) -> None:
    def headers(event: str, identity: str, body: bytes, secret: str) -> dict[str, str]:
        made = git_services.GITLAB_SIGNED.headers(event, identity, body, secret)
        other = git_services.standard_signature(identity, made["webhook-timestamp"], body, b"other")
        return {**made, "webhook-signature": f"{other} {made['webhook-signature']}"}

    sender = replace(git_services.GITLAB_SIGNED, headers=headers)
    assert outcome(send(sender, sender.push(MAIN))) == (202, "queued")


# Who is told what.


def test_a_refusal_does_not_tell_whether_the_repository_exists(hooked: Repository) -> None:
    sender = git_services.GITHUB
    push = sender.push(MAIN)
    Repository.objects.create(name="no-hook", url="file:///nowhere.git")
    empty = Connection.objects.create(id="empty", type="secret")
    Repository.objects.create(name="empty", url="file:///nowhere.git", webhook_secret=empty)
    answers = {
        "wrong signature": send(sender, push, secret="wrong"),
        "no signature": send(sender, push, without="X-Hub-Signature-256"),
        "no service": send(replace(sender, headers=lambda *_: {}), push),
        "unknown repository": send(sender, push, path="/hooks/unknown/"),
        "unknown repository, no signature": send(
            sender, push, path="/hooks/unknown/", without="X-Hub-Signature-256"
        ),
        "no secret": send(sender, push, path="/hooks/no-hook/"),
        "empty secret": send(sender, push, path="/hooks/empty/", secret=""),
    }
    DataKey.objects.all().delete()
    answers["secret that cannot be decrypted"] = send(sender, push)
    for path in ("/hooks/team/", "/hooks/unknown/"):
        began = time.monotonic()
        send(sender, push, path=path)
        assert time.monotonic() - began >= REFUSAL_SECONDS
    # Each by an id that was made for the request before anything was looked at.
    assert len({answer.headers.pop("X-Request-ID") for answer in answers.values()}) == len(answers)
    seen = {(answer.status_code, answer.content, str(answer.headers)) for answer in answers.values()}
    assert len(seen) == 1
    assert answers["no secret"].status_code == 404
    assert requests() == []
    assert not any(answer.cookies for answer in answers.values())


def test_an_empty_or_blank_secret_is_no_secret(hooked: Repository) -> None:
    for value in ("", "  ", "\n"):
        Connection.objects.get().set_properties({"secret": value, "previousSecret": value})
        for sender in (git_services.GITHUB, git_services.GITLAB):
            assert outcome(send(sender, sender.push(MAIN), secret=value.strip())) == (404, "refused")
    assert set(Delivery.objects.values_list("outcome", flat=True)) == {"secret"}


def test_the_secret_before_counts_for_as_long_as_it_is_kept(hooked: Repository) -> None:
    row, sender = Connection.objects.get(), git_services.GITHUB
    row.set_properties({"secret": "the new one", "previousSecret": SECRET})
    assert outcome(send(sender, sender.push(MAIN), identity="1")) == (202, "queued")
    assert outcome(send(sender, sender.push(MAIN), identity="2", secret="the new one")) == (202, "waiting")
    row.set_properties({"secret": "the new one"})
    assert outcome(send(sender, sender.push(MAIN), identity="3")) == (404, "refused")


def test_nothing_but_a_post_is_taken(hooked: Repository) -> None:
    for method in ("get", "head", "put", "delete", "options"):
        assert getattr(Client(), method)("/hooks/team/").status_code == 405
    assert send(git_services.GITHUB, git_services.GITHUB.push(MAIN), path="/hooks/team").status_code == 202
    for path in ("/hooks/", "/hooks/Team/", "/hooks/a%00b/", f"/hooks/{'a' * 64}/", "/hooks/team/more/"):
        assert send(git_services.GITHUB, git_services.GITHUB.push(MAIN), path=path).status_code == 404


@pytest.mark.parametrize("length", ["", "-1", "x", "٣", "9" * 30])
def test_a_request_without_a_usable_length_is_refused(length: str, hooked: Repository) -> None:
    answer = Client().generic("POST", "/hooks/team/", b"{}", CONTENT_LENGTH=length)
    assert outcome(answer) == (411, "no_length")


def test_a_repository_that_is_switched_off_is_not_synced(hooked: Repository) -> None:
    Repository.objects.update(enabled=False)
    assert outcome(send(git_services.GITHUB, git_services.GITHUB.push(MAIN))) == (200, "disabled")
    assert requests() == []


def test_the_secret_is_in_no_row_log_or_answer(hooked: Repository, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    contents = b""
    for number, sender in enumerate(SENDERS.values()):
        contents += send(sender, sender.push(MAIN), identity=str(number)).content
        contents += send(sender, sender.push(MAIN), secret=f"{SECRET}?").content
    rows = str(list(Delivery.objects.values())) + str(requests())
    assert Delivery.objects.count() == 2 * len(SENDERS)
    for text in (rows, caplog.text, contents.decode()):
        assert SECRET not in text
        assert "sha256=" not in text
    assert "webhook for team: github push" in caplog.text


# Asking.


def test_requests_that_wait_become_one_and_a_push_after_its_beginning_gets_its_own(
    hooked: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = git_services.GITHUB
    assert outcome(send(sender, sender.push(MAIN), identity="1")) == (202, "queued")
    assert outcome(send(sender, sender.push(MAIN), identity="2")) == (202, "waiting")
    (waiting,) = requests()
    OrmQ.objects.all().delete()
    during = []
    original = gitsync.sync.run.sync_repository

    def with_a_push_meanwhile(*arguments: Any) -> Any:
        during.append(outcome(send(sender, sender.push(MAIN), identity="3")))
        return original(*arguments)

    monkeypatch.setattr(gitsync.sync.run, "sync_repository", with_a_push_meanwhile)
    tasks.sync(*waiting)
    assert during == [(202, "queued")]
    assert len(requests()) == 1


def test_many_deliveries_at_once_ask_for_one_sync(hooked: Repository) -> None:
    sender, answers = git_services.GITHUB, []

    def deliver(number: int) -> None:
        try:
            answers.append(outcome(send(sender, sender.push(MAIN), identity=str(number % 4))))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=deliver, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 12
    assert sum(answer == (200, "replay") for answer in answers) == 8
    assert sum(answer[0] == 202 for answer in answers) == 4
    # One that waited for the others' lock too long goes ahead without it.
    assert len(requests()) == answers.count((202, "queued")) >= 1


def test_a_sync_that_holds_the_repositorys_row_does_not_hold_the_answer_up(hooked: Repository) -> None:
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                Repository.objects.select_for_update().get(pk=hooked.pk)
                held.set()
                let_go.wait(10)
        finally:
            connections.close_all()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert held.wait(10)
        sender = git_services.GITHUB
        assert outcome(send(sender, sender.push(MAIN), identity="1")) == (202, "queued")
        assert outcome(send(sender, sender.push(MAIN), identity="1")) == (200, "replay")
        assert outcome(send(sender, sender.push(MAIN), secret="wrong")) == (404, "refused")
        assert holder.is_alive()
    finally:
        let_go.set()
        holder.join()
    assert len(requests()) == 1


def test_a_database_that_fails_is_told_so_that_the_delivery_is_sent_again(
    hooked: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = git_services.GITHUB
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE django_q_ormq ADD CONSTRAINT full_up CHECK (pg_sleep(0.5) IS NULL)")
        cursor.execute("SET statement_timeout = 200")
    try:
        assert outcome(send(sender, sender.push(MAIN), identity="1")) == (503, "unavailable")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
            cursor.execute("ALTER TABLE django_q_ormq DROP CONSTRAINT full_up")
    assert outcome(send(sender, sender.push(MAIN), identity="1")) == (202, "queued")


# The log.


def test_the_log_keeps_the_newest_and_refusals_drive_out_nothing_else(
    hooked: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_log, "KEPT_ASKED", 4)
    monkeypatch.setattr(delivery_log, "KEPT_OTHERS", 3)
    sender = git_services.GITHUB
    for number in range(6):
        send(sender, sender.push(MAIN), identity=str(number))
    for number in range(6):
        send(sender, sender.push(MAIN), identity=f"r{number}", secret="wrong")
    kept = list(Delivery.objects.order_by("id").values_list("delivery_id", flat=True))
    assert kept == ["2", "3", "4", "5", "r3", "r4", "r5"]
    assert outcome(send(sender, sender.push(MAIN), identity="2")) == (200, "replay")
    Delivery.objects.update(received_at=timezone.now() - timedelta(days=31))
    send(sender, sender.push(MAIN), identity="9")
    assert Delivery.objects.count() == 1
    assert outcome(send(sender, sender.push(MAIN), identity="2")) == (202, "waiting")


def test_one_repositorys_deliveries_are_not_anothers(hooked: Repository) -> None:
    second = Repository.objects.create(
        name="second", url="file:///nowhere.git", webhook_secret=hooked.webhook_secret
    )
    sender = git_services.GITHUB
    for path in ("/hooks/team/", "/hooks/second/"):
        assert outcome(send(sender, sender.push(MAIN), identity="1", path=path)) == (202, "queued")
    second.delete()
    assert Delivery.objects.get().repository == hooked


def test_the_admin_shows_deliveries_and_changes_none(hooked: Repository) -> None:
    browser = Client()
    browser.force_login(User.objects.create_superuser("ada", password="x"))
    page = f"/admin/gitsync/repository/{hooked.pk}/change/"
    assert "No delivery yet" in browser.get(page).content.decode()
    sender = git_services.GITHUB
    send(sender, sender.push("refs/heads/<b>x</b>"), identity="<i>1</i>")
    send(sender, sender.push(MAIN), secret="wrong")
    row = Delivery.objects.get(outcome="other_ref")
    for url in (page, "/admin/gitsync/delivery/", f"/admin/gitsync/delivery/{row.pk}/change/"):
        shown = browser.get(url).content.decode()
        assert "another ref than the one that is followed" in shown
        assert "<b>x" not in shown
        assert "<i>1" not in shown
        assert SECRET not in shown
    assert "not signed with the secret" in browser.get(page).content.decode()
    assert "<code>/hooks/team/</code>" in browser.get(page).content.decode()
    for path in ("add/", f"{row.pk}/delete/"):
        assert browser.get(f"/admin/gitsync/delivery/{path}").status_code == 403
    assert Client().get("/admin/gitsync/delivery/").status_code == 302


def test_the_secret_is_chosen_on_the_form_and_its_connection_cannot_go(hooked: Repository) -> None:
    browser = Client()
    browser.force_login(User.objects.create_superuser("ada", password="x"))
    names = ("name", "url", "ref", "subpath", "include", "verify")
    form = {name: getattr(hooked, name) for name in names}
    sent = {**form, "url": "file:///elsewhere.git", "enabled": "on", "webhook_secret": "team-hook"}
    Repository.objects.update(webhook_secret=None)
    assert browser.post(f"/admin/gitsync/repository/{hooked.pk}/change/", sent).status_code == 302
    assert Repository.objects.get().webhook_secret_id == "team-hook"
    with pytest.raises(ProtectedError):
        Connection.objects.get().delete()


def test_a_declared_repository_names_its_secret(hooked: Repository, tmp_path: Path) -> None:
    def declare(lines: str) -> list[str]:
        file = tmp_path / "repos.yaml"
        file.write_text(f"- name: declared\n  url: https://git.example.com/x.git\n{lines}")
        config = property_sources.load({**os.environ, "KIOK_GITSYNC_REPOS_FILE": str(file)})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(django_settings, "KIOK", config)
            return follow_declaration()

    assert declare("  webhookSecretConnectionId: team-hook\n") == ["declared"]
    assert Repository.objects.get(name="declared").webhook_secret_id == "team-hook"
    with pytest.raises(DeclarationError, match="webhookSecretConnectionId"):
        declare("  webhookSecretConnectionId: nobody\n")
    with pytest.raises(PropertyError, match="webhookSecretConnectionId"):
        declare('  webhookSecretConnectionId: "a b"\n')


# Whatever comes.

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
_ref = st.one_of(
    _json, st.sampled_from([MAIN, "refs/heads/\ud800", "refs/heads/\0", "refs/heads/" + "x" * 600])
)
_change = st.fixed_dictionaries({"name": _ref, "type": st.sampled_from(["branch", "tag", "x"])}) | _json
_like_a_push = st.fixed_dictionaries(
    {
        "ref": _ref,
        "ref_type": st.sampled_from(["branch", "tag", 1]),
        "changes": st.lists(
            st.fixed_dictionaries({"ref": st.fixed_dictionaries({"id": _ref})}) | _json, max_size=3
        ),
        "push": st.fixed_dictionaries(
            {"changes": st.lists(st.fixed_dictionaries({"old": _change, "new": _change}), max_size=3)}
        ),
    }
)
_bodies = st.one_of(
    st.binary(max_size=200),
    _json.map(lambda value: json.dumps(value).encode()),
    _like_a_push.map(lambda value: json.dumps(value).encode()),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(sorted(SENDERS)),
    event=st.sampled_from(["push", "delete", "Push Hook", "repo:push", "repo:refs_changed"]),
    identity=st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=200),
    body=_bodies,
    content_type=st.sampled_from(["application/json", "application/x-www-form-urlencoded", ""]),
    is_signed=st.booleans(),
)
def test_no_delivery_whatsoever_breaks_the_service(
    name: str,
    event: str,
    identity: str,
    body: bytes,
    content_type: str,
    is_signed: bool,
    hooked: Repository,
) -> None:
    sender = SENDERS[name] if name != "gitlab-signed" else git_services.GITLAB
    answer = send(
        sender,
        git_services.Delivery(event, body),
        identity=identity,
        secret=SECRET if is_signed else "x",
        content_type=content_type,
    )
    assert answer.status_code in ({200, 202, 400} if is_signed else {404})
    answer.json()


# All of it.


@contextmanager
def web_server(port: int, log_file: Path | None = None, **variables: str) -> Iterator[str]:
    """The service's own web server on the test's database; gives its address."""
    environment = {
        **os.environ,
        **variables,
        "DJANGO_SETTINGS_MODULE": "tests.integration.same_database",
        "TEST_DATABASE_NAME": str(connection.settings_dict["NAME"]),
    }
    with log_file.open("wb") if log_file else nullcontext() as log:
        process = subprocess.Popen(
            web_command(f"127.0.0.1:{port}", 1), env=environment, cwd=ROOT, start_new_session=True, stderr=log
        )
    try:
        address = f"http://127.0.0.1:{port}"
        eventually(lambda: _answers(f"{address}/healthz"), 30, "the web server")
        yield address
    finally:
        stop(process)


def _answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
        return bool(answer.status == 200)
    return False


def _post(address: str, sender: Sender, delivery: git_services.Delivery, identity: str) -> tuple[int, str]:
    headers = sender.headers(delivery.event, identity, delivery.body, SECRET)
    request = urllib.request.Request(
        f"{address}/hooks/team/", delivery.body, {**headers, "Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.status, json.load(answer)["outcome"]


def test_a_push_is_deployed_by_its_webhook_and_a_deletion_is_noticed(
    work_repo: WorkRepo, hooked: Repository, unused_port: int, tmp_path: Path
) -> None:
    """And each line that web server and workers write is an object, those of one delivery under one id."""
    Repository.objects.update(url=work_repo.file_url)
    sender = git_services.GITEA
    web_log, worker_log = tmp_path / "web.log", tmp_path / "worker.log"
    # Nobody leads, so that nothing else asks for a sync.
    properties = {"KIOK_GITSYNC_ENABLED": "false", "KIOK_WORKERS": "2", "KIOK_LOG_FORMAT": "json"}
    with (
        web_server(unused_port, web_log, KIOK_LOG_FORMAT="json") as address,
        workers(properties, log_file=worker_log),
    ):
        work_repo.publish({"a.yaml": yaml_dag("a")})
        assert _post(address, sender, sender.push(MAIN), "1") == (202, "queued")
        eventually(lambda: Dag.objects.filter(uid="team/a.yaml", version=1), 30, "the DAG")
        eventually(lambda: Repository.objects.get().lease_holder == "", 10, "the end of the sync")

        work_repo.publish({"a.yaml": yaml_dag("a", "echo 2")})
        assert _post(address, sender, sender.push(MAIN), "1") == (200, "replay")
        assert _post(address, sender, sender.push(MAIN), "2") == (202, "queued")
        eventually(lambda: Dag.objects.filter(version=2), 30, "the new version")

        work_repo.git("--git-dir", str(work_repo.bare), "config", "receive.denyDeleteCurrent", "ignore")
        work_repo.push(":refs/heads/main")
        assert _post(address, sender, sender.deletion(MAIN), "3")[0] == 202
        eventually(lambda: Repository.objects.get().reason == "ref_missing", 30, "the missing ref noticed")
    assert Dag.objects.filter(uid="team/a.yaml").exists()
    triggers = set(SyncRun.objects.values_list("trigger", "requested_by"))
    assert triggers == {(str(Trigger.WEBHOOK), "gitea")}
    assert set(SyncRun.objects.values_list("correlation_id", flat=True)) == {"1", "2", "3"}
    for log, said in ((web_log, "webhook for team"), (worker_log, "synced team to")):
        events = [json.loads(line) for line in log.read_text().splitlines()]
        told = {event.get("correlation_id") for event in events if event["event"].startswith(said)}
        assert told >= {"1", "2"}


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
