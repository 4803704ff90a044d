"""Notification channels in the admin: permissions, the test button, and past notifications."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from gitsync.models import Repository
from kiok.connections.models import Connection
from kiok.notifications import outbox, sender
from kiok.notifications.content import content_of
from kiok.notifications.models import Notification, NotificationChannel, NotificationDelivery
from tests.support.admin_pages import page
from tests.support.servers.receiver import WebhookServer

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/notifications/notificationchannel/"


@pytest.fixture
def server(tmp_path: Path, settings: Settings) -> Iterator[WebhookServer]:
    with WebhookServer(tmp_path / "channel") as running:
        settings.KIOK = replace(settings.KIOK, gitsync_ssl_ca_info=running.ca_file)
        yield running


@pytest.fixture
def root() -> Client:
    return logged_in(User.objects.create_superuser("root"))


@pytest.fixture
def ours() -> Group:
    return Group.objects.create(name="ours")


@pytest.fixture
def vera(ours: Group) -> User:
    """Return a user of one group who may do everything with channels, and not view connections."""
    user = User.objects.create_user("vera", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__model="notificationchannel"))
    user.groups.add(ours)
    return user


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def form(**fields: Any) -> dict[str, Any]:
    return {"name": "hook", "enabled": "on", "kind": "webhook", "style": "json", **fields}


def errors(answer: Any) -> str:
    """Return the errors of a refused form."""
    assert answer.status_code == 200
    found = re.findall(r'<ul class="errorlist"[^>]*>(.*?)</ul>', answer.content.decode(), re.DOTALL)
    return html.unescape(" ".join(found))


def test_the_form_of_a_channel_writes_url_in_capitals(root: Client) -> None:
    text = root.get(f"{LIST}add/").content.decode()
    assert re.search(r'<label[^>]* for="id_url"[^>]*>\s*URL:\s*</label>', text)
    assert "https://… URL of the webhook. Put a URL that is itself secret" in text


def test_a_test_notification_is_sent_and_its_outcome_is_shown(root: Client, server: WebhookServer) -> None:
    root.post(f"{LIST}add/", form(url=server.url(), all_repositories="on"))
    channel = NotificationChannel.objects.get()
    assert "None yet." in root.get(page(channel)).content.decode()
    assert root.post(page(channel, "test")).status_code == 302
    status = root.get(page(channel, "status")).json()
    assert not status["settled"]
    assert "Waiting for a worker." in status["parts"]["body"]
    server.status, server.answer = 500, b"<script>no</script>"
    sender.deliver()
    status = root.get(page(channel, "status")).json()
    assert status["settled"]
    assert "500 Answered: &lt;script&gt;no" in status["parts"]["body"]
    assert "Consecutive failures: 1. Next attempt:" in status["parts"]["body"]
    server.status, server.answer = 200, b"ok"
    root.post(page(channel, "test"))  # is not held up by the pause
    assert sender.deliver() == "2 notifications delivered"
    shown = root.get(page(channel)).content.decode()
    assert "200 Answered: ok" in shown
    assert server.received[-1].json["event"] == "test"
    assert server.received[-1].json["repository"] == ""
    assert "Requested a test notification." in LogEntry.objects.earliest("-pk").change_message


def test_a_disabled_channel_gets_no_test_notification(root: Client) -> None:
    channel = NotificationChannel.objects.create(name="off", url="https://x.invalid/", enabled=False)
    answer = root.post(page(channel, "test"), follow=True)
    assert "is disabled" in answer.content.decode()
    assert not Notification.objects.exists()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"url": "https://10.0.0.1/"}, "private"),
        ({"url": ""}, "Enter the URL, or choose a connection that has a webhookUrl"),
        (
            {"url": "https://127.0.0.1/", "template": '{"a": "{nothing}"}'},
            "Unknown placeholder {nothing}. Allowed: {id}",
        ),
        ({"url": "https://127.0.0.1/", "secret": "empty"}, "has none of webhookUrl, authorization, secret"),
        (
            {"url": "https://127.0.0.1/", "secret": "whole"},
            "The connection has a webhookUrl. Leave this field empty",
        ),
        ({"kind": "email", "addresses": "nobody"}, "'nobody' is not an e-mail address"),
        ({"kind": "email", "addresses": "a@example.com", "secret": "whole"}, "E-mail needs no connection"),
    ],
)
def test_validation_errors_of_a_channel_are_shown_at_their_fields(
    fields: dict[str, str], message: str, root: Client
) -> None:
    Connection.objects.create(id="empty")
    Connection.objects.create(id="whole").set_properties({"webhookUrl": "https://127.0.0.1/secret"})
    assert message in errors(root.post(f"{LIST}add/", form(**fields)))
    assert not NotificationChannel.objects.exists()


def test_a_user_cannot_choose_repositories_that_they_do_not_see(vera: User, ours: Group) -> None:
    theirs = Group.objects.create(name="theirs")
    seen, hidden = Repository.objects.create(name="seen"), Repository.objects.create(name="hidden")
    seen.groups.add(ours)
    hidden.groups.add(theirs)
    client, url = logged_in(vera), "https://127.0.0.1/"
    assert "all_repositories" not in client.get(f"{LIST}add/").content.decode()
    for fields in (
        {},
        {"all_repositories": "on"},
        {"groups": [theirs.pk]},
        {"repositories": [hidden.pk]},
        {"groups": [ours.pk, theirs.pk]},
    ):
        assert errors(client.post(f"{LIST}add/", form(url=url, **fields))), fields
    assert not NotificationChannel.objects.exists()
    fields = {"groups": [ours.pk], "repositories": [seen.pk], "all_repositories": "on"}
    assert client.post(f"{LIST}add/", form(url=url, **fields)).status_code == 302
    channel = NotificationChannel.objects.get()
    assert not channel.all_repositories
    # A channel with other repositories is not this group's, nor is one without repositories.
    assert list(NotificationChannel.objects.visible_to(vera)) == [channel]
    for name, value in (("groups", theirs), ("repositories", hidden)):
        getattr(channel, name).add(value)
        assert not NotificationChannel.objects.visible_to(vera).exists()
        assert client.post(page(channel, "test")).status_code == 404
        assert client.get(page(channel, "status")).status_code == 404
        getattr(channel, name).remove(value)
    channel.groups.clear()
    channel.repositories.clear()
    assert not NotificationChannel.objects.visible_to(vera).exists()
    assert not Notification.objects.exists()


def test_a_connection_is_sent_to_no_server_without_the_view_permission(vera: User, ours: Group) -> None:
    vault = Connection.objects.create(id="vault")
    vault.set_properties({"authorization": "Bearer of-somebody-else"})
    channel = NotificationChannel.objects.create(name="hook", url="https://127.0.0.1/", secret=vault)
    channel.groups.add(ours)
    client, fields = logged_in(vera), {"groups": [ours.pk], "secret": "vault"}
    assert errors(client.post(f"{LIST}add/", form(name="new", url="https://127.0.0.1/", **fields)))
    moved = form(url="https://127.0.0.1/elsewhere", **fields)
    assert "would be sent to a server that they were not entered for" in errors(
        client.post(page(channel), moved)
    )
    kept = form(url="https://127.0.0.1/", name="renamed", **fields)
    assert client.post(page(channel), kept).status_code == 302
    channel.refresh_from_db()
    assert (channel.name, channel.url, channel.secret_id) == ("renamed", "https://127.0.0.1/", "vault")
    # A user who may view connections sees those that no hidden repository or channel uses.
    other = NotificationChannel.objects.create(name="other", secret=Connection.objects.create(id="others"))
    other.groups.add(Group.objects.create(name="theirs"))
    vera.user_permissions.add(Permission.objects.get(codename="view_connection"))
    offered = logged_in(User.objects.get(pk=vera.pk)).get(f"{LIST}add/").content.decode()
    assert '<option value="vault">' in offered
    assert '<option value="others">' not in offered


def test_a_user_with_view_permission_sees_only_the_host_of_a_url(vera: User, ours: Group) -> None:
    channel = NotificationChannel.objects.create(
        name="hook", url="https://hooks.example.com/T0/part-of-a-secret"
    )
    channel.groups.add(ours)
    vera.user_permissions.set(Permission.objects.filter(codename="view_notificationchannel"))
    client = logged_in(User.objects.get(pk=vera.pk))
    for address in (LIST, page(channel)):
        shown = client.get(address).content.decode()
        assert "https://hooks.example.com/" in shown
        assert "part-of-a-secret" not in shown
    assert client.post(page(channel, "test")).status_code == 403


def test_an_edit_retries_the_channel_and_keeps_the_observed_state(root: Client, ours: Group) -> None:
    channel = NotificationChannel.objects.create(
        name="hook", url="https://127.0.0.1/", failures=5, holder="x/y"
    )
    NotificationChannel.objects.update(retry_at="2100-01-01T00:00:00Z")
    root.post(page(channel), form(url="https://127.0.0.1/new", groups=[ours.pk]))
    channel.refresh_from_db()
    assert (channel.url, channel.failures, channel.retry_at, channel.holder) == (
        *("https://127.0.0.1/new", 0, None),
        "x/y",
    )


def test_a_disabled_channel_gets_no_outdated_messages_later(root: Client, ours: Group) -> None:
    channel = NotificationChannel.objects.create(name="hook", url="https://127.0.0.1/")
    delivery = outbox.put_test(channel).deliveries.get()
    switched_on = form(url="https://127.0.0.1/", groups=[ours.pk])
    switched_off = {name: value for name, value in switched_on.items() if name != "enabled"}
    assert root.post(page(channel), switched_on).status_code == 302
    assert outbox.due().exists()
    assert root.post(page(channel), switched_off).status_code == 302
    assert root.post(page(channel), switched_on).status_code == 302
    delivery.refresh_from_db()
    assert (delivery.state, delivery.outcome) == ("given_up", "The channel was disabled.")
    assert not outbox.due().exists()


def test_the_link_of_a_notification_is_the_repositorys_page(settings: Settings, root: Client) -> None:
    settings.KIOK = replace(settings.KIOK, web_public_url="https://kiok.example.com/base")
    repository = Repository.objects.create(name="team")
    notification = Notification(repository=repository, event="failing", at=repository.created_at)
    link = content_of(notification).values["link"]
    assert link == "https://kiok.example.com/base" + reverse(
        "admin:gitsync_repository_change", args=[repository.pk]
    )
    assert root.get(link.removeprefix("https://kiok.example.com/base")).status_code == 200


def test_notifications_of_a_repository_are_hidden_with_it(vera: User, ours: Group) -> None:
    repository = Repository.objects.create(name="zebra")
    repository.groups.add(ours)
    channel = NotificationChannel.objects.create(name="hook", url="https://x.invalid/")
    channel.groups.add(ours)
    notification = Notification.objects.create(
        repository=repository, event="failing", message="zebra is broken", at=repository.created_at
    )
    NotificationDelivery.objects.create(notification=notification, channel=channel)
    client = logged_in(vera)
    addresses = (page(channel), page(channel, "status"))
    for address in addresses:
        assert "zebra" in client.get(address).content.decode(), address
    repository.groups.clear()  # it belongs to another group now
    for address in addresses:
        assert "zebra" not in client.get(address).content.decode(), address


def test_each_user_chooses_among_all_their_repositories(root: Client, vera: User, ours: Group) -> None:
    rows = Repository.objects.bulk_create(
        [Repository(name=f"r{number:03}", url="https://x.invalid/r.git") for number in range(300)]
    )
    ours.repositories.set(rows[:2])
    channel = NotificationChannel.objects.create(name="hook", url="https://x.invalid/")
    channel.repositories.set(rows[7:9])
    shown = root.get(page(channel)).content.decode()
    assert re.findall(r"<option[^>]*>(r\d\d\d)</option>", shown) == [row.name for row in rows]
    assert re.findall(r'<option value="\d+" selected>(r\d\d\d)</option>', shown) == ["r007", "r008"]
    answer = root.post(page(channel), form(url="https://127.0.0.1/", repositories=[rows[8].pk, rows[299].pk]))
    assert answer.status_code == 302
    assert [row.name for row in channel.repositories.order_by("name")] == ["r008", "r299"]
    refused = root.post(page(channel), form(url="", repositories=[rows[5].pk])).content.decode()
    assert re.findall(r'<option value="\d+" selected>(r\d\d\d)</option>', refused) == ["r005"]
    listed = logged_in(vera).get(f"{LIST}add/").content.decode()
    assert re.findall(r"<option[^>]*>(r\d\d\d)</option>", listed) == ["r000", "r001"]
