"""Webhooks: authentication and responses, requested syncs, and stored deliveries."""

from __future__ import annotations

import logging
import os
import threading
import time
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

import gitsync.sync.run
from gitsync.models import Delivery, QueuedSync, Repository
from gitsync.repositories.declared import follow_declaration
from gitsync.webhooks import delivery_log
from gitsync.webhooks.views import REFUSAL_SECONDS
from kiok.connections.models import Connection, DataKey
from kiok.server import properties
from tests.support import git_services
from tests.support.git_services import SENDERS
from tests.support.hooks import MAIN, SECRET, outcome, requests, send
from tests.support.queue_state import run_now, waiting
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)

# Which caller gets which answer.


def test_a_refusal_does_not_show_whether_the_repository_exists(hooked: Repository) -> None:
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
    # Each has an id that was created for the request before any check.
    assert len({answer.headers.pop("X-Request-ID") for answer in answers.values()}) == len(answers)
    seen = {(answer.status_code, answer.content, str(answer.headers)) for answer in answers.values()}
    assert len(seen) == 1
    assert answers["no secret"].status_code == 404
    assert requests() == []
    assert not any(answer.cookies for answer in answers.values())


def test_the_page_shows_the_address_of_the_configured_host(
    hooked: Repository, admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = f"/admin/gitsync/repository/{hooked.pk}/change/"
    assert "<code>http://testserver/hooks/team/</code>" in admin_client.get(page).content.decode()
    monkeypatch.setattr(
        django_settings, "KIOK", replace(django_settings.KIOK, web_public_url="https://kiok.example.com")
    )
    shown = admin_client.get(page).content.decode()
    assert "<code>https://kiok.example.com/hooks/team/</code> <button" in shown


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


def test_queued_requests_become_one_and_a_later_push_gets_its_own(
    hooked: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = git_services.GITHUB
    assert outcome(send(sender, sender.push(MAIN), identity="1")) == (202, "queued")
    assert outcome(send(sender, sender.push(MAIN), identity="2")) == (202, "waiting")
    (queued,) = waiting()
    QueuedSync.objects.all().delete()
    during = []
    original = gitsync.sync.run.run_sync

    def with_a_push_meanwhile(*arguments: Any) -> Any:
        during.append(outcome(send(sender, sender.push(MAIN), identity="3")))
        return original(*arguments)

    monkeypatch.setattr(gitsync.sync.run, "run_sync", with_a_push_meanwhile)
    run_now(*queued)
    assert during == [(202, "queued")]
    assert len(requests()) == 1


def test_concurrent_deliveries_request_one_sync(hooked: Repository) -> None:
    sender, answers = git_services.GITHUB, []

    def deliver(number: int) -> None:
        answers.append(outcome(send(sender, sender.push(MAIN), identity=str(number % 4))))

    at_once(12, deliver)
    assert len(answers) == 12
    assert sum(answer == (200, "replay") for answer in answers) == 8
    assert sum(answer[0] == 202 for answer in answers) == 4
    # A delivery that waited too long for the lock of the others continues without it.
    assert len(requests()) == answers.count((202, "queued")) >= 1


def test_a_sync_that_locks_the_repositorys_row_does_not_delay_answers(hooked: Repository) -> None:
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                Repository.objects.select_for_update().get(pk=hooked.pk)
                held.set()
                let_go.wait(600)
        finally:
            connections.close_all()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert held.wait(600)
        sender = git_services.GITHUB
        assert outcome(send(sender, sender.push(MAIN), identity="1")) == (202, "queued")
        assert outcome(send(sender, sender.push(MAIN), identity="1")) == (200, "replay")
        assert outcome(send(sender, sender.push(MAIN), secret="wrong")) == (404, "refused")
        assert holder.is_alive()
    finally:
        let_go.set()
        holder.join()
    assert len(requests()) == 1


def test_a_failed_database_is_reported_so_that_the_delivery_is_resent(
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
    assert "No deliveries yet" in browser.get(page).content.decode()
    sender = git_services.GITHUB
    send(sender, sender.push("refs/heads/<b>x</b>"), identity="<i>1</i>")
    send(sender, sender.push(MAIN), secret="wrong")
    row = Delivery.objects.get(outcome="other_ref")
    for url in (page, "/admin/gitsync/delivery/", f"/admin/gitsync/delivery/{row.pk}/change/"):
        shown = browser.get(url).content.decode()
        assert "The ref is not the one that is followed" in shown
        assert "<b>x" not in shown
        assert "<i>1" not in shown
        assert SECRET not in shown
    assert "Not signed with the repository&#x27;s secret" in browser.get(page).content.decode()
    assert "<code>http://testserver/hooks/team/</code>" in browser.get(page).content.decode()
    for path in ("add/", f"{row.pk}/delete/"):
        assert browser.get(f"/admin/gitsync/delivery/{path}").status_code == 403
    assert Client().get("/admin/gitsync/delivery/").status_code == 302


def test_the_secret_is_chosen_on_the_form_and_its_connection_cannot_go(hooked: Repository) -> None:
    browser = Client()
    browser.force_login(User.objects.create_superuser("ada", password="x"))
    names = ("name", "url", "ref", "subpath", "include", "verify")
    form = {name: getattr(hooked, name) for name in names}
    sent = {
        **form,
        "url": "file:///elsewhere.git",
        "allow_empty": "on",
        "enabled": "on",
        "webhook_secret": "team-hook",
    }
    Repository.objects.update(webhook_secret=None)
    assert browser.post(f"/admin/gitsync/repository/{hooked.pk}/change/", sent).status_code == 302
    assert Repository.objects.get().webhook_secret_id == "team-hook"
    with pytest.raises(ProtectedError):
        Connection.objects.get().delete()


def test_a_declared_repository_names_its_secret(hooked: Repository, tmp_path: Path) -> None:
    def declare(lines: str) -> list[str]:
        file = tmp_path / "repos.yaml"
        file.write_text(f"- name: declared\n  url: https://git.example.com/x.git\n{lines}")
        config = properties.load({**os.environ, "KIOK_GITSYNC_REPOS_FILE": str(file)})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(django_settings, "KIOK", config)
            return follow_declaration()

    assert declare("  webhookSecretConnectionId: team-hook\n") == ["declared"]
    assert Repository.objects.get(name="declared").webhook_secret_id == "team-hook"
    declare("  webhookSecretConnectionId: nobody\n")
    declared = Repository.objects.get(name="declared")
    assert (declared.reason, declared.webhook_secret_id) == ("credential", "team-hook")
    declare('  webhookSecretConnectionId: "a b"\n')
    declared.refresh_from_db()
    assert declared.reason == "declaration_invalid"
    assert "webhookSecretConnectionId 'a b' does not match" in declared.message
