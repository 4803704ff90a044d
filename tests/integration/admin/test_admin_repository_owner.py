"""The default owner in the form of a repository."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from gitsync.models import ManagedBy, Repository
from kiok.metadata.models import Dag
from tests.support import repository_pages
from tests.support.dag_pages import EVIL, make_dag, spec, task, text, words

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_form_writes_the_owner_and_gives_it_to_dags_without_one(browser: Client) -> None:
    row = Repository.objects.create(name="team", url="https://git.example.com/a.git")
    make_dag("team/a.yaml")
    make_dag("team/b.yaml", owner="Ada", spec={**spec(task("t")), "owner": "Ada"})
    form = repository_pages.values(row, owner=" Team <b>Sales</b> ")
    assert browser.post(repository_pages.page(row), form).status_code == 302
    assert Repository.objects.get().owner == "Team <b>Sales</b>"
    owners = dict(Dag.objects.values_list("uid", "owner"))
    assert owners == {"team/a.yaml": "Team <b>Sales</b>", "team/b.yaml": "Ada"}
    assert LogEntry.objects.get().get_change_message() == "Changed Owner."
    assert browser.post(repository_pages.page(row), repository_pages.values(row, owner="")).status_code == 302
    assert Dag.objects.get(pk="team/a.yaml").owner == ""


@pytest.mark.parametrize("owner", ["a\tb", "a\u202eb"], ids=ascii)
def test_the_form_refuses_other_owners_at_the_field(browser: Client, owner: str) -> None:
    row = Repository.objects.create(name="team", url="https://git.example.com/a.git")
    answer = browser.post(repository_pages.page(row), repository_pages.values(row, owner=owner))
    assert answer.status_code == 200
    errors = answer.context["adminform"].form.errors
    assert list(errors) == ["owner"]
    assert "is not an owner; allowed: 1 to 200 printable characters" in errors["owner"][0]
    assert Repository.objects.get().owner == ""


def test_the_page_of_a_declared_repository_shows_its_owner(browser: Client) -> None:
    row = Repository.objects.create(
        name="team", url="https://git.example.com/a.git", owner=EVIL, managed_by=ManagedBy.CONFIG
    )
    shown = text(browser, repository_pages.page(row), {"tab": "settings"})
    assert EVIL in words(shown)
    assert "<script>alert" not in shown
