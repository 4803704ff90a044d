"""Decision whether a repository may use a connection in references, and what changes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from gitsync.models import Repository
from gitsync.repositories.declared import remove_repository
from kiok.connections.models import Connection
from kiok.connections.references import find
from kiok.connections.usage import NOT_USABLE, Decision, decide, unusable_in
from tests.support.connection_rows import grant, make_repository

pytestmark = pytest.mark.django_db

REFUSED = Decision(reason=NOT_USABLE)


def decision(repository: str, text: str) -> Decision:
    (made,) = decide(repository, find(text)).values()
    return made


def may(repository: str, connection: str) -> bool:
    answers = {
        decision(repository, text).is_allowed
        for text in (f"${{conn.{connection}.key}}", f"${{secret.{connection}}}")
    }
    assert len(answers) == 1, "both forms of a reference are decided alike"
    return answers.pop()


@dataclass
class Teams:
    """Team `red` with repository `r`, team `blue` with repository `b`, and a connection of team blue."""

    red: Group
    blue: Group
    r: Repository
    b: Repository
    vault: Connection


@pytest.fixture
def teams() -> Teams:
    red, blue = (Group.objects.create(name=name) for name in ("red", "blue"))
    return Teams(red, blue, make_repository("r", red), make_repository("b", blue), grant("vault", blue))


def test_a_connection_is_usable_by_no_repository_by_default() -> None:
    make_repository("r", Group.objects.create(name="red"))
    grant("new")
    assert not may("r", "new")
    assert not may("", "new")


def test_a_grant_to_a_team_reaches_its_repositories_only(teams: Teams) -> None:
    assert may("b", "vault")
    assert not may("r", "vault")
    assert not may("", "vault")
    both = make_repository("both", teams.red, teams.blue)
    assert may(both.name, "vault")


def test_a_grant_to_a_repository_reaches_no_other_one_of_its_team(teams: Teams) -> None:
    make_repository("b2", teams.blue)
    grant("own", teams.b)
    assert may("b", "own")
    assert not may("b2", "own")
    assert not may("r", "own")


def test_a_grant_to_everyone_reaches_dags_of_no_repository_too(teams: Teams) -> None:
    grant("shared", everyone=True)
    assert all(may(name, "shared") for name in ("r", "b", "", "unknown"))


def test_the_answer_does_not_tell_whether_a_connection_exists(teams: Teams) -> None:
    assert decision("r", "${conn.vault.password}") == decision("r", "${conn.missing.password}") == REFUSED
    assert decision("r", "${secret.vault}") == decision("r", "${secret.missing}") == REFUSED


def test_a_repository_that_moves_to_another_team_changes_its_grants(teams: Teams) -> None:
    teams.b.groups.set([teams.red])
    teams.r.groups.set([teams.blue])
    assert not may("b", "vault")
    assert may("r", "vault")


def test_a_removed_team_takes_its_grants_along(teams: Teams) -> None:
    teams.blue.delete()
    assert not may("b", "vault")
    teams.b.groups.add(Group.objects.create(name="blue"))
    assert not may("b", "vault"), "a new team of the same name has no grant"


def test_a_repository_added_again_under_its_name_has_no_grant(teams: Teams) -> None:
    grant("own", teams.b)
    remove_repository(teams.b)
    assert not may("b", "own")
    make_repository("b", teams.red)
    assert not may("b", "own")
    assert not may("b", "vault")


def test_a_connection_added_again_under_its_id_has_no_grant(teams: Teams) -> None:
    teams.vault.delete()
    assert not may("b", "vault")
    grant("vault")
    assert not may("b", "vault")


def test_a_synced_repository_cannot_take_the_name_of_another(teams: Teams, admin_client: Client) -> None:
    """Names do not change after the first sync. Before it, the grants stay with the row that they were given to."""
    grant("own", teams.b)
    page = f"/admin/gitsync/repository/{teams.r.pk}/change/"
    form = {
        "name": "b",
        "url": teams.r.url,
        "ref": "main",
        "include": "*.py",
        "verify": "off",
        "enabled": "on",
    }

    Repository.objects.filter(pk=teams.r.pk).update(last_good_commit="c" * 40)
    remove_repository(teams.b)  # the name is free
    assert admin_client.post(page, form).status_code == 302
    assert Repository.objects.get(pk=teams.r.pk).name == "r"

    Repository.objects.filter(pk=teams.r.pk).update(last_good_commit="")
    assert admin_client.post(page, form).status_code == 302
    assert Repository.objects.get(pk=teams.r.pk).name == "b"
    assert not may("b", "own")


def test_the_longest_usable_id_is_read(teams: Teams) -> None:
    grant("lake", teams.b)
    grant("lake.s3", teams.b)
    grant("lake.s3.access", teams.r)
    text = "${conn.lake.s3.access.key}"
    assert decision("b", text) == Decision("lake.s3", "access.key")
    assert decision("r", text) == Decision("lake.s3.access", "key")
    Connection.objects.get(pk="lake.s3").delete()
    assert decision("b", text) == Decision("lake", "s3.access.key")


def test_another_teams_connection_does_not_take_over_a_reference(teams: Teams) -> None:
    grant("lake", teams.b)
    grant("lake.s3", teams.r)
    assert decision("b", "${conn.lake.s3.key}") == Decision("lake", "s3.key")


def test_a_secret_is_read_from_a_connection_of_any_type(teams: Teams) -> None:
    Connection.objects.create(id="token", type=Connection.Type.GENERIC, usable_by_all=True)
    assert decision("r", "${secret.token}") == Decision("token", "value")


def test_one_query_decides_about_all_references(django_assert_num_queries: Callable[..., object]) -> None:
    text = "".join(f"${{conn.c{n}.d{n}.key}}${{secret.s{n}}}" for n in range(500))
    with django_assert_num_queries(1):  # type: ignore[attr-defined]
        assert len(decide("r", find(text))) == 1000
    with django_assert_num_queries(0):  # type: ignore[attr-defined]
        assert decide("r", find("echo ${HOME}")) == {}


def test_references_are_found_in_scripts_and_config_values(teams: Teams) -> None:
    tasks = [
        {"id": "a", "script": "x ${conn.vault.password}\n${conn.} ${secret.no}\n${conn.vault.password}"},
        {"id": "b", "script": None, "config": {"url": '{"x":"${conn.vault.password}"}', "n": "1"}},
        {"id": "c", "script": "${secret.far}", "config": {}},
    ]
    hidden = {"one": {"tasks": tasks}, "two": {"tasks": [{"id": "d", "script": "echo ${HOME}"}]}}
    assert unusable_in("r", hidden) == {"one": {"${conn.vault.password}": ["a", "b"], "${secret.far}": ["c"]}}
    assert unusable_in("b", hidden) == {"one": {"${secret.far}": ["c"]}}


@pytest.mark.parametrize(
    "spec", [None, [], {}, {"tasks": None}, {"tasks": ["x", {"id": 1}, {"script": 5, "config": []}]}]
)
def test_a_spec_of_any_form_has_no_references(
    spec: object, django_assert_num_queries: Callable[..., object]
) -> None:
    with django_assert_num_queries(0):  # type: ignore[attr-defined]
        assert unusable_in("r", {"x": spec}) == {}
