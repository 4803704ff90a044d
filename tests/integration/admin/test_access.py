"""Who sees what: a user of one group learns nothing of another group's repositories, from any page of the admin.

Every address of the admin is tried, with real rows; one that the test does not know how to fill fails it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.contrib.messages import get_messages
from django.db.models import Field, ForeignKey, JSONField, ManyToManyField, Model
from django.test import Client
from django.urls import URLPattern
from django_q.models import OrmQ

from gitsync.access import OTHER_SERVER
from gitsync.actions import ask_for_sync, resume
from gitsync.api.auth import Caller
from gitsync.api.problems import ApiRefusal
from gitsync.api.repository_edit import RepositoryChange, change
from gitsync.models import ApiToken, Repository
from gitsync.repositories.declared import remove_repository
from kiok.connections.models import Connection
from kiok.metadata.models import Dag, DagRun
from tests.support.access_rows import Rows, make_rows

pytestmark = pytest.mark.django_db(transaction=True)

MISSING = 2_000_000_000
NOBODY = "quetzal"
"""A word that no row has."""
HEALTH = re.compile(r"<dt>Leader</dt>.*?</dl>", re.DOTALL)
CONNECTIONS = "connections/connection"
LEAVING = ("logout", "login", "password_change", "password_change_done")
FORM = {"post": "yes", "reason": "x", "fingerprint": "ssh-ed25519 SHA256:x", "full": "1"}
PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


@pytest.fixture
def ours(transactional_db: None) -> Rows:
    return make_rows("aardvark", "first", 500_000_000)


@pytest.fixture
def theirs(ours: Rows) -> Rows:
    return make_rows("zebra", "second", 700_000_000)


@pytest.fixture
def lonely(transactional_db: None, theirs: Rows) -> Dag:
    """A DAG of no repository."""
    dag = Dag.objects.get(repository=theirs.word)
    dag.pk, dag.dag_id, dag.name, dag.description, dag.source = ("lonely",) * 5
    dag.spec, dag.origin, dag.repository, dag.source_path, dag.commit_sha = (
        {"id": "lonely"},
        "manual",
        "",
        "",
        "",
    )
    dag.stale_since = dag.stale_reason = None
    dag.save(force_insert=True)
    return dag


def user_of(*groups: Any) -> User:
    """A user of these groups who may do everything, but does not see all repositories."""
    user = User.objects.create_user("vera", is_staff=True)
    user.user_permissions.set(Permission.objects.exclude(codename="view_all_repositories"))
    user.groups.set(groups)
    return user


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def vera(ours: Rows, theirs: Rows, lonely: Dag) -> Client:
    return logged_in(user_of(ours.group))


@pytest.fixture
def root(ours: Rows, theirs: Rows, lonely: Dag) -> Client:
    return logged_in(User.objects.create_superuser("root"))


def routes(patterns: Any = None, before: str = "/admin/") -> Iterator[tuple[str, str]]:
    """(address with its parameters, name) of every page."""
    for pattern in admin.site.urls[0] if patterns is None else patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield route, pattern.name or ""
        else:
            yield from routes(pattern.url_patterns, route)


def fill(route: str, rows: Rows, *, missing: bool = False) -> str:
    """The page's address for these rows; with `missing`, for rows that do not exist. Fails where it does not know how."""
    table = "/".join(route.split("/")[2:4])
    key = rows.keys.get(table)

    def value(match: re.Match[str]) -> str:
        parameter = match.group(1)
        if parameter in ("object_id", "id", "pk") and "content_type" not in route and key is not None:
            return absent(key) if missing else str(quote(key))
        known = {
            "name": NOBODY if missing else rows.word,
            "uid": f"{NOBODY}/x.yaml" if missing else str(rows.keys["metadata/dag"]),
            "content_type_id": str(ContentType.objects.get_for_model(Repository).pk),
            "object_id": str(MISSING if missing else rows.repository.pk) if "content_type" in route else None,
        }.get(parameter)
        if known is None:
            pytest.fail(f"a new address: {route}. Give access_rows.py a row for it, so that it is tested")
        return known

    filled = PARAMETER.sub(value, route)
    return filled.replace("(?P<url>.*)$", "nothing-here")


def absent(key: Any) -> str:
    return str(MISSING) if isinstance(key, int) else quote(f"{NOBODY}/x")


PLAIN = [
    route
    for route, name in routes()
    if not PARAMETER.search(route) and "(?P" not in route and name not in LEAVING
]
FILLED = [route for route, _ in routes() if PARAMETER.search(route.replace("(?P<", ""))]
LISTS = [route for route, name in routes() if name.endswith("_changelist")]


def model_of(route: str) -> type[Model]:
    app, name = route.split("/")[2:4]
    return next(
        model
        for model in admin.site._registry
        if (model._meta.app_label, model._meta.model_name) == (app, name)
    )


def told(answer: Any) -> str:
    """Everything that the answer tells: status, address, messages, body, without what is never the same."""
    messages = [str(message) for message in get_messages(answer.wsgi_request)]
    body = "" if answer.streaming else answer.content.decode()
    body = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", body)
    return "\n".join([str(answer.status_code), answer.headers.get("Location", ""), *messages, body])


def without(rows: Rows, text: str) -> str:
    """The text without the keys and the words that were asked for, whether they exist or not."""
    keys = {form for key in rows.keys.values() for form in (quote(str(key)), str(key))}
    missing = {str(MISSING), f"{NOBODY}/x.yaml", f"{NOBODY}/x", quote(f"{NOBODY}/x"), NOBODY, "0" * 40}
    for name in sorted(keys | missing | {rows.word, rows.commit}, key=len, reverse=True):
        text = text.replace(name, "?")
    return text


def ask(client: Client, method: str, address: str) -> str:
    answer = client.get(address) if method == "get" else client.post(address, FORM)
    client.cookies.pop("messages", None)
    assert answer.status_code < 500, address
    return told(answer)


def state(rows: Rows) -> list[Any]:
    """What deeds at a repository would change."""
    return [
        *Repository.objects.filter(pk=rows.repository.pk).values(),
        *rows.repository.groups.values_list("pk", flat=True),
        *Connection.objects.filter(pk=rows.keys[CONNECTIONS]).values(),
        *Dag.objects.filter(repository=rows.word).values(),
        OrmQ.objects.count(),
    ]


@pytest.mark.parametrize("method", ["get", "post"])
def test_every_page_of_another_group_s_rows_answers_as_if_they_did_not_exist(
    method: str, vera: Client, theirs: Rows
) -> None:
    before = state(theirs)
    for route in FILLED:
        there, absent_one = fill(route, theirs), fill(route, theirs, missing=True)
        answered = ask(vera, method, there)
        if f"/{CONNECTIONS}/" in route:  # connections are of no group
            assert not theirs.tells(answered), there
            continue
        # An answer may repeat what it was asked for.
        answered, expected = without(theirs, answered), without(theirs, ask(vera, method, absent_one))
        assert answered.split("\n")[0] in ("302", "403", "404", "405"), there
        assert answered == expected, there
        assert not theirs.tells(answered), there
    assert state(theirs) == before


def test_the_same_pages_tell_a_superuser_of_them(root: Client, theirs: Rows) -> None:
    silent = [
        route
        for route in FILLED
        if route.endswith(("change/", "history/")) and not theirs.tells(ask(root, "get", fill(route, theirs)))
    ]
    # A connection does not say what uses it, and the queued task here is none that can be read.
    assert {route.split("/")[3] for route in silent if route.endswith("change/")} == {"connection", "ormq"}


@pytest.mark.parametrize("method", ["get", "post"])
def test_no_page_over_many_rows_tells_of_another_group_s(method: str, vera: Client, theirs: Rows) -> None:
    for route in PLAIN:
        assert not theirs.tells(ask(vera, method, route)), route
    for app in {model._meta.app_label for model in admin.site._registry}:
        assert not theirs.tells(ask(vera, method, f"/admin/{app}/")), app


def test_the_lists_tell_of_the_user_s_own_and_a_superuser_of_both(
    vera: Client, root: Client, ours: Rows, theirs: Rows
) -> None:
    of_repositories = [route for route in LISTS if route.split("/")[2] in ("gitsync", "metadata")]
    assert len(of_repositories) >= 7
    for route in [
        *of_repositories,
        "/admin/gitsync/overview/",
        "/admin/gitsync/errors/",
    ]:
        if "apitoken" in route:
            continue  # everybody has their own
        assert ours.tells(ask(vera, "get", route)), route
        shown = ask(root, "get", route)
        assert ours.tells(shown), route
        assert theirs.tells(shown), route
    assert "lonely" in ask(vera, "get", "/admin/metadata/dag/")


def probes(model: type[Model], word: str, rows: Rows | None) -> Iterator[str]:
    """Questions to a list, by every field of its rows and by what refers to them; about the rows, or about none."""
    yield f"q={word}"
    yield f"q={rows.commit if rows else '0' * 40}"
    for field in model._meta.get_fields():
        related = field.related_model
        if isinstance(related, type) and issubclass(related, Model):
            table = f"{related._meta.app_label}/{related._meta.model_name}"
            key = rows.keys.get(table, MISSING) if rows else MISSING
            yield f"{field.name}={key}"
            yield f"{field.name}__in={key}"
            yield f"{field.name}__id__exact={key}"
            if related is Repository:
                yield f"{field.name}__name__startswith={word}"
                yield f"{field.name}__url__contains={word}"
                yield f"{field.name}__groups__name__startswith={word}"
        elif isinstance(field, JSONField):
            yield f"{field.name}__icontains={word}"
        elif isinstance(field, Field) and field.get_internal_type() in ("CharField", "TextField"):
            yield f"{field.name}={word}"
            yield f"{field.name}__startswith={word}"
            yield f"{field.name}__contains={word}"
            yield f"{field.name}__regex=^{word}"


@pytest.mark.parametrize("route", LISTS)
def test_no_question_to_a_list_tells_whether_another_group_s_rows_have_something(
    route: str, vera: Client, theirs: Rows
) -> None:
    of_them = probes(model_of(route), theirs.word, theirs)
    of_none = probes(model_of(route), NOBODY, None)
    for asked, otherwise in zip(of_them, of_none, strict=True):
        answered, expected = (
            without(theirs, ask(vera, "get", f"{route}?{query}")) for query in (asked, otherwise)
        )
        assert answered == expected, (route, asked)
    for query in (
        "_facets=True",
        "_popup=1",
        "_to_field=id",
        "_to_field=name",
        "o=1",
        "o=-2.1",
        "all=",
        "e=1",
        "p=2",
    ):
        assert not theirs.tells(ask(vera, "get", f"{route}?{query}")), (route, query)


def test_neither_search_nor_filters_of_the_other_pages_tell(vera: Client, theirs: Rows) -> None:
    pages = ("/admin/gitsync/errors/", "/admin/gitsync/overview/")
    for page in (*pages, "/admin/gitsync/overview/status/"):
        for name in ("q", "repository", "state", "page"):
            answered, expected = (
                # How the installation is changes from one moment to the next, and is of no repository.
                HEALTH.sub("", without(theirs, ask(vera, "get", f"{page}?{name}={word}")))
                for word in (theirs.word, NOBODY)
            )
            assert answered == expected, (page, name)


def test_no_autocompletion_tells_of_another_group_s(vera: Client, theirs: Rows) -> None:
    asked = 0
    for model in admin.site._registry:
        for field in model._meta.get_fields():
            if isinstance(field, ForeignKey | ManyToManyField):
                about = f"app_label={model._meta.app_label}&model_name={model._meta.model_name}"
                shown = ask(vera, "get", f"/admin/autocomplete/?{about}&field_name={field.name}&term=")
                assert not theirs.tells(shown), (model, field)
                asked += "results" in shown
    assert asked  # some answer at all


@pytest.mark.parametrize("across", ["0", "1"])
def test_no_action_of_a_list_reaches_another_group_s_rows_by_a_forged_key(
    across: str, vera: Client, theirs: Rows
) -> None:
    before = state(theirs)[:-1]  # with `across` the user's own may be asked for
    request = type("", (), {"user": User.objects.get(username="vera"), "GET": {}, "POST": {}})()
    for route in LISTS:
        model_admin = admin.site._registry[model_of(route)]
        key = theirs.keys["/".join(route.split("/")[2:4])]
        for name in model_admin.get_actions(request):
            if CONNECTIONS in route and name == "delete_selected":
                form = {"_selected_action": [key], "select_across": "0"}
            else:
                form = {"_selected_action": [key], "select_across": across}
            answer = vera.post(route, {**FORM, "action": name, **form}, follow=True)
            assert not theirs.tells(told(answer)), (route, name)
    assert state(theirs)[:-1] == before


def test_a_user_of_no_group_sees_no_repository_and_no_totals(ours: Rows, theirs: Rows, lonely: Dag) -> None:
    nobody = logged_in(user_of())
    for route in PLAIN:
        shown = ask(nobody, "get", route)
        assert not ours.tells(shown), route
        assert not theirs.tells(shown), route
    overview = nobody.get("/admin/gitsync/overview/status/").json()
    assert overview["rows"] == []
    assert overview["parts"]["summary"] == "No repositories yet."
    assert (
        re.findall(r"\b[1-9]\d*\b", re.sub(r"<[^>]*>", " ", HEALTH.sub("", overview["parts"]["totals"])))
        == []
    )
    for route in LISTS:
        if route.split("/")[2] == "gitsync":
            assert "0 " in ask(nobody, "get", route)
    assert "lonely" in ask(nobody, "get", "/admin/metadata/dag/")


def test_moving_a_repository_to_another_group_takes_effect_at_once_also_for_pruned_dags(
    vera: Client, ours: Rows, theirs: Rows
) -> None:
    pages = [fill(route, theirs) for route in FILLED if route.endswith("change/") and "/metadata/" in route]
    pages += [fill(route, theirs) for route in FILLED if route.endswith("change/") and "/gitsync/" in route]
    # Tokens are of users, and a receiver names its own groups and repositories.
    pages = [page for page in pages if "apitoken" not in page and "notificationchannel" not in page]
    assert len(pages) >= 7
    assert not [page for page in pages if vera.get(page).status_code == 200]

    theirs.repository.groups.set([ours.group])
    assert [page for page in pages if vera.get(page).status_code == 200] == pages
    assert "zebra/pruned.yaml" in ask(vera, "get", "/admin/metadata/dagrun/")

    theirs.repository.groups.set([theirs.group])
    assert not [page for page in pages if vera.get(page).status_code == 200]
    vera.cookies.pop("messages")  # that what was asked for does not exist
    assert not theirs.tells(ask(vera, "get", "/admin/metadata/dagrun/"))


def test_leaving_a_group_leaves_no_names_behind_in_the_session_or_the_recent_actions(
    vera: Client, ours: Rows, theirs: Rows
) -> None:
    user = User.objects.get(username="vera")
    theirs.repository.groups.add(ours.group)
    for rows in (ours, theirs):
        resume(user, rows.repository)
    chosen = [str(rows.repository.pk) for rows in (ours, theirs)]
    shown = vera.post(
        "/admin/gitsync/repository/", {"action": "sync_now", "_selected_action": chosen}, follow=True
    )
    assert theirs.tells(told(shown))
    vera.post(f"/admin/gitsync/repository/{chosen[1]}/check/")
    assert theirs.tells(ask(vera, "get", "/admin/"))

    theirs.repository.groups.remove(ours.group)

    for page in (
        "/admin/",
        "/admin/gitsync/",
        *(f"/admin/gitsync/repository/asked/{end}" for end in ("", "status/")),
    ):
        shown = ask(vera, "get", page)
        assert ours.tells(shown) or page == "/admin/gitsync/", page
        assert not theirs.tells(shown), page
    remove_repository(theirs.repository)
    assert not theirs.tells(ask(vera, "get", "/admin/"))


def test_the_permission_to_see_all_needs_no_group(ours: Rows, theirs: Rows) -> None:
    user = user_of()
    user.user_permissions.add(Permission.objects.get(codename="view_all_repositories"))
    shown = ask(logged_in(user), "get", "/admin/gitsync/repository/")
    assert ours.tells(shown)
    assert theirs.tells(shown)


def test_accounts_the_queue_and_the_log_are_for_those_who_see_all(
    vera: Client, root: Client, theirs: Rows
) -> None:
    closed = [route for route in LISTS if route.split("/")[2] in ("auth", "django_q", "admin")]
    assert len(closed) == 7
    for route in closed:
        assert vera.get(route).status_code == 403, route
        assert vera.get(f"{route}add/").status_code == 403, route
        assert root.get(route).status_code == 200, route
        assert f'href="{route}"' not in ask(vera, "get", "/admin/")
    assert theirs.tells(ask(root, "get", "/admin/admin/logentry/"))
    assert vera.get("/admin/password_change/").status_code == 200


def test_a_connection_that_only_another_group_uses_cannot_be_chosen_and_what_uses_it_is_not_named(
    vera: Client, root: Client, ours: Rows, theirs: Rows
) -> None:
    page = f"/admin/gitsync/repository/{ours.repository.pk}/change/"
    offered = re.findall(r'<option value="(\w+)"', vera.get(page).content.decode())
    assert "first" in offered
    assert "second" not in offered
    assert 'value="second"' in root.get(page).content.decode()
    form = {name: getattr(ours.repository, name) for name in ("name", "url", "ref", "subpath", "include")}
    form |= {"verify": "off", "allow_empty": "on", "enabled": "on", "groups": [str(ours.group.pk)]}
    refused = vera.post(page, {**form, "credential": "second"})
    assert refused.status_code == 200
    ours.repository.refresh_from_db()
    assert ours.repository.credential_id == "first"

    delete = "/admin/connections/connection/second/delete/"
    assert "objects that you may not see: 4" in vera.get(delete).content.decode()
    assert vera.post(delete, {"post": "yes"}).status_code in (200, 403)
    assert Connection.objects.filter(pk="second").exists()
    assert "credential of repository: zebra" in root.get(delete).content.decode()


def test_without_the_permission_to_view_connections_a_repository_keeps_its_own_and_gets_no_other(
    ours: Rows, theirs: Rows
) -> None:
    Connection.objects.create(id="third")
    user = user_of(ours.group)
    page = f"/admin/gitsync/repository/{ours.repository.pk}/change/"
    assert 'value="third"' in logged_in(user).get(page).content.decode()
    user.user_permissions.remove(*Permission.objects.filter(content_type__app_label="connections"))
    shown = logged_in(User.objects.get(pk=user.pk)).get(page).content.decode()
    assert 'value="first" selected' in shown
    assert 'value="third"' not in shown


def test_without_the_permission_to_view_connections_a_credential_is_sent_to_no_other_server(
    ours: Rows, theirs: Rows
) -> None:
    user_of(ours.group).user_permissions.remove(
        *Permission.objects.filter(content_type__app_label="connections")
    )
    user = User.objects.get(username="vera")
    browser = logged_in(user)
    vault = Connection.objects.get(pk="first")
    vault.set_properties({"token": "of git.example.org"})
    vault.save()
    page = f"/admin/gitsync/repository/{ours.repository.pk}/change/"
    form = {name: getattr(ours.repository, name) for name in ("name", "ref", "subpath", "include")}
    form |= {
        "verify": "off",
        "allow_empty": "on",
        "enabled": "on",
        "groups": [str(ours.group.pk)],
        "credential": "first",
    }
    host = ours.repository.url.split("/")[2]

    for url in (
        "https://evil.example/x.git",
        f"https://{host}:8443/x.git",
        f"https://{host}.evil.example/x.git",
    ):
        assert (
            "a server that it was not entered for"
            in browser.post(page, {**form, "url": url}).content.decode()
        )
        new = {**form, "name": "mine", "url": url}
        assert (
            "a server that it was not entered for"
            in browser.post("/admin/gitsync/repository/add/", new).content.decode()
        )
        with pytest.raises(ApiRefusal, match="invalid values") as refused:
            change(Caller(user, ApiToken()), ours.repository, RepositoryChange(url=url))
        assert [*refused.value.errors] == [("url", OTHER_SERVER)]
        ours.repository.refresh_from_db()
    assert ours.repository.url.split("/")[2] == host
    assert not Repository.objects.filter(name="mine").exists()

    assert browser.post(page, {**form, "url": f"https://{host}/other/x.git"}).status_code == 302
    assert (
        browser.post(page, {**form, "url": "https://other.example/x.git", "credential": ""}).status_code
        == 302
    )


def test_the_name_of_a_removed_repository_is_not_to_be_had_with_its_history(
    vera: Client, root: Client, ours: Rows, theirs: Rows
) -> None:
    remove_repository(theirs.repository)
    assert DagRun.objects.filter(repository="zebra").exists()
    form = {"name": "zebra", "url": "https://git.example.org/x.git", "ref": "main", "verify": "off"}
    form |= {"groups": str(ours.group.pk), "include": "", "allow_empty": "on", "enabled": "on"}
    add = "/admin/gitsync/repository/add/"
    refused = vera.post(add, form)
    assert refused.status_code == 200
    assert "an earlier repository with this name" in refused.content.decode()
    assert not Repository.objects.filter(name="zebra").exists()
    assert root.post(add, form).status_code == 302
    assert Repository.objects.filter(name="zebra").exists()


def test_what_is_asked_for_by_hand_is_asked_for_the_repository_alone(ours: Rows, theirs: Rows) -> None:
    user = User.objects.create_superuser("root")
    resume(user, ours.repository)
    ask_for_sync(user, ours.repository)
    theirs.repository.refresh_from_db()
    assert theirs.repository.is_paused
