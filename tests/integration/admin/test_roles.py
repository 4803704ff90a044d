"""The four roles: the table of docs/operate/access.md, tried with every page, action and operation for each role."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.contrib.messages.storage.fallback import FallbackStorage
from django.db import transaction
from django.test import Client, RequestFactory
from django.utils import timezone
from django_q.models import OrmQ, Schedule
from pytest_django import DjangoDbBlocker

from gitsync.models import ApiToken, Repository
from kiok.connections.models import Connection
from kiok.notifications.models import NotificationChannel
from tests.support import admin_pages, admin_rows
from tests.support.api_client import Api, make_channel, make_everything, make_token
from tests.support.api_operations import call, operations
from tests.support.documents import DOCS
from tests.support.fresh_database import all_rows
from tests.support.roles import ROLES, TABLE, as_markdown, roles

pytestmark = pytest.mark.django_db

FORM = {"post": "yes", "reason": "x", "full": "on", "commit": "x", "fingerprint": "SHA256:x"}
LEFT_OUT = {"autocomplete": "answers 403 without its parameters; test_access.py tries it with them"}


@dataclass(frozen=True)
class Attempted:
    """A request: its name in the table, the page, and for an operation of the API its path, method and description."""

    name: str
    page: admin_pages.Page | None = None
    action: str = ""
    operation: tuple[str, str, dict[str, Any]] | None = None


@dataclass(frozen=True)
class Person:
    """A user of one role and the team, with a session and a token."""

    user: User
    client: Client
    token: ApiToken
    api: Api


@dataclass(frozen=True)
class World:
    """The requests, the users by role, and the rows that the requests are for."""

    requests: list[Attempted]
    people: dict[str, Person]
    repository: Repository
    keys: dict[str, Any]  # of the rows in the addresses, by the model's label


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    """Make the rows once, in a transaction around those of the tests, which roll back to them."""
    with django_db_blocker.unblock(), transaction.atomic():
        admin_rows.fill(admin_rows.Amounts())
        repository = make_everything("mine", "team", mark="open")
        make_channel(repository, "open")
        Connection.objects.create(id="shared", type="git")
        team = Group.objects.get(name="team")
        team.repositories.set(Repository.objects.all())
        for channel in NotificationChannel.objects.all():
            channel.groups.set([team])
        people = {name: _person(name, group, team) for name, group in roles().items()}
        Schedule.objects.get_or_create(name="s", func="gitsync.tasks.lead")
        OrmQ.objects.create(key="kiok", payload="x", lock="2026-01-01T00:00:00Z")
        keys = admin_rows.keys()
        keys["auth.User"] = User.objects.create_user(
            "leaver"
        ).pk  # a user without entries in the log can be deleted
        assert [name for name, key in keys.items() if key is None] == []
        found = list(
            admin_pages.pages(
                lambda model: keys[model._meta.label], {"name": "mine", "uid": keys["metadata.Dag"]}
            )
        )
        yield World([*_requests(found)], people, repository, keys)
        transaction.set_rollback(True)


def _person(name: str, role: Group, team: Group) -> Person:
    user = User.objects.create_user(name.lower(), is_staff=True)
    user.groups.set([role, team])
    client = Client(raise_request_exception=False)
    client.force_login(user)
    text, token = make_token(user)
    token.last_used_at = timezone.now() + timedelta(days=1)  # otherwise a request writes it once a minute
    token.save()
    return Person(user, client, token, Api(text))


def _requests(pages: list[admin_pages.Page]) -> Iterator[Attempted]:
    root = User.objects.create_superuser("root")
    client = Client()
    client.force_login(root)
    for page in pages:
        if page.name in LEFT_OUT:
            continue
        is_button = client.get(page.address).status_code == 405
        if not is_button:
            yield Attempted(f"GET {page.name}", page)
        if is_button or page.name.endswith(("_add", "_change", "_delete", "password_change")):
            yield Attempted(f"POST {page.name}", page)
        if page.is_list:
            for action in _actions(page, root):
                yield Attempted(f"ACTION {page.name} {action}", page, action)
    for path, method, described in operations():
        yield Attempted(f"API {described['operationId']}", operation=(path, method, described))


def _actions(page: admin_pages.Page, user: User) -> list[str]:
    assert page.model is not None
    request: Any = RequestFactory().get(page.address)
    request.user = user
    request.session = {}
    request._messages = FallbackStorage(request)
    return [*admin.site.get_model_admin(page.model).get_actions(request)]


def may(world: World, person: Person, attempted: Attempted) -> bool:
    """Send the request, and return whether it was allowed."""
    if attempted.operation is not None:
        answer = call(person.api, *attempted.operation, world.repository, "open")
        assert answer.status_code < 500, attempted.name
        refused = answer.status_code == 403
        assert not refused or answer.json()["type"] == "urn:kiok:problem:permission", attempted.name
        return not refused
    assert attempted.page is not None
    address = attempted.page.address
    if attempted.page.model is ApiToken:
        address = address.replace(f"/{world.keys['gitsync.ApiToken']}/", f"/{person.token.pk}/")
    if attempted.action:
        assert attempted.page.model is not None
        chosen = [str(world.keys[attempted.page.model._meta.label])]
        person.client.post(address, {**FORM, "action": attempted.action, "_selected_action": chosen})
        return attempted.action in _actions(attempted.page, User.objects.get(pk=person.user.pk))
    answer = (
        person.client.get(address) if attempted.name.startswith("GET ") else person.client.post(address, FORM)
    )
    assert answer.status_code < 500, attempted.name
    if attempted.name.endswith(
        "_history"
    ):  # of a row that the user may not see, it redirects to the front page
        return answer.status_code == 200
    return answer.status_code != 403


def test_the_table_names_every_page_action_and_operation_once(world: World) -> None:
    listed = Counter(name for row in TABLE for name in row.requests)
    assert [name for name, count in listed.items() if count > 1] == []
    assert {*listed} == {attempted.name for attempted in world.requests}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_what_the_table_says(role: str, world: World) -> None:
    person = world.people[role]
    allowed_names = {name for row in TABLE if row.allows(role) for name in row.requests}
    allowed = [one for one in world.requests if one.name in allowed_names]
    refused = [one for one in world.requests if one.name not in allowed_names]

    before = _tables()
    assert [attempted.name for attempted in refused if may(world, person, attempted)] == []
    assert _tables() == before  # what was refused changed nothing

    denied = []
    for attempted in allowed:
        with transaction.atomic():
            if not may(world, person, attempted):
                denied.append(attempted.name)
            transaction.set_rollback(True)
    assert denied == []


def _tables() -> dict[str, list[str]]:
    return {table: rows for table, rows in all_rows().items() if table != "django_session"}


def test_the_document_has_the_table() -> None:
    assert as_markdown() in (DOCS / "operate/access.md").read_text(encoding="utf-8"), as_markdown()
