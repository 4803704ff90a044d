"""Declared repositories that are removed, and where the problems of a declaration are shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client

from gitsync.models import DeclarationState, ManagedBy, Repository, SyncRun
from gitsync.monitoring import health
from gitsync.monitoring.doctor.workers import declaration
from gitsync.repositories.declared import DeclarationError, missing_declaration
from kiok.checks import CheckStatus
from kiok.cluster.leader import resign, take_lead
from kiok.cluster.periodic import Scope, jobs_of
from tests.integration.conftest import yaml_dag
from tests.support.api_client import make_user
from tests.support.cluster import eventually, workers
from tests.support.declarations import ALL, ALLOW, follow, stored, without
from tests.support.processes import gitsync
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_is_changed_and_not_lost_is_followed(
    environ: dict[str, str], work_repo: WorkRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The one of the property moves to the file, and the file's goes: both still declare, or declared nothing else.
    file = Path(environ["KIOK_GITSYNC_REPOS_FILE"])
    file.write_text(f"- name: here\n  url: {work_repo.file_url}\n")
    assert sorted(follow(without(environ, "KIOK_GITSYNC_REPOS"), monkeypatch)) == ["here", "there"]
    assert stored() == (["here"], 2)
    assert Repository.objects.get().declared_source == "kiok.gitsync.repos.file"
    # Another name is another repository.
    file.write_text(f"- name: elsewhere\n  url: {work_repo.file_url}\n")
    follow(without(environ, "KIOK_GITSYNC_REPOS"), monkeypatch)
    assert stored() == (["elsewhere"], 0)
    # Those of the admin are nobody's declaration.
    Repository.objects.update(managed_by=ManagedBy.ADMIN)
    file.write_text("")
    assert follow(environ | {"KIOK_GITSYNC_REPOS": ""}, monkeypatch) == []
    assert stored() == (["elsewhere"], 0)


def test_removing_all_takes_the_explicit_property(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = {**environ, "KIOK_GITSYNC_REPOS": ""}
    assert follow({**empty, **ALLOW}, monkeypatch) == ["here"]
    assert stored() == (["there"], 1)
    Path(environ["KIOK_GITSYNC_REPOS_FILE"]).write_text("[]")
    with pytest.raises(DeclarationError):
        follow({**empty, "KIOK_GITSYNC_REPOS_ALLOW_EMPTY": "false"}, monkeypatch)
    assert follow({**empty, **ALLOW}, monkeypatch) == ["there"]
    assert stored() == ([], 0)


@pytest.mark.parametrize("allow", [{}, ALLOW])
def test_where_no_property_is_set_nothing_is_removed_and_it_is_said(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, allow: dict[str, str]
) -> None:
    assert missing_declaration() == ""
    assert follow(allow, monkeypatch) == []
    assert missing_declaration() == (
        "neither kiok.gitsync.repos nor kiok.gitsync.repos.file is set, and 2 repositories with 3 DAGs (here: 2, there: 1) "
        "exist from an earlier declaration. Nothing was changed, and the repositories keep syncing. "
        "Restore the property; or, to delete them with their DAGs, set kiok.gitsync.repos to an empty value and "
        "kiok.gitsync.repos.allow.empty=true"
    )
    assert stored() == ALL
    done = gitsync("--now", "--json", **allow)
    assert done.returncode == 0, done.stderr
    assert "2 repositories with 3 DAGs (here: 2, there: 1) exist from an earlier declaration" in done.stderr
    assert len(json.loads(done.stdout)["repositories"]) == 2
    Repository.objects.all().delete()
    assert missing_declaration() == ""
    assert gitsync("--list").stderr == ""


@pytest.mark.parametrize("arguments", [("--now",), ("--now", "--dry-run", "--json"), ("--list",)])
def test_the_command_refuses_with_status_2_and_changes_nothing(
    environ: dict[str, str], arguments: tuple[str, ...]
) -> None:
    runs = SyncRun.objects.count()
    done = gitsync(*arguments, **{**environ, "KIOK_GITSYNC_REPOS": ""})
    assert (done.returncode, done.stdout) == (2, "")
    assert "1 repository with 2 DAGs (here: 2) would be deleted" in done.stderr
    assert (stored(), SyncRun.objects.count()) == (ALL, runs)


def test_an_empty_value_of_the_properties_file_is_refused_with_its_line(
    environ: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "kiok.properties"
    file.write_text("# of the service\nkiok.gitsync.repos=\n")
    done = gitsync("--list", KIOK_CONFIG=str(file))
    assert done.returncode == 2
    assert f"kiok.gitsync.repos ({file}:2) is empty" in done.stderr
    assert stored() == ALL


def make_staff(name: str, *permissions: str) -> User:
    user = make_user(name, *permissions)
    user.is_staff = True
    user.save()
    return user


def overview(user: User) -> str:
    browser = Client()
    browser.force_login(user)
    return browser.get("/admin/gitsync/overview/").content.decode()


def problem_of_leader() -> str:
    return DeclarationState.objects.values_list("problem", flat=True).first() or ""


@pytest.mark.parametrize("lost", [{"KIOK_GITSYNC_REPOS": " "}, {}], ids=["blank", "unset"])
def test_the_leader_goes_on_syncing_and_tells_log_doctor_and_overview(
    environ: dict[str, str],
    work_repo: WorkRepo,
    tmp_path: Path,
    lost: dict[str, str],
) -> None:
    log = tmp_path / "log"
    properties = {
        **lost,
        "KIOK_WORKERS": "1",
        "KIOK_GITSYNC_INTERVAL_MS": "1000",
        "KIOK_GITSYNC_ALLOW_PROTOCOLS": "file",
    }
    with workers(properties, log_file=log):
        eventually(problem_of_leader, 60, "the leader's report of its problem")
        commit = work_repo.publish({"c.yaml": yaml_dag("c")})
        eventually(
            lambda: Repository.objects.get(name="here").last_good_commit == commit,
            60,
            "the sync of the next push",
        )
        problem = problem_of_leader()
        assert "2 repositories with 3 DAGs (here: 2, there: 1)" in problem
        (fact,) = [fact for fact in health.facts(names_repositories=True) if fact.name == "Declaration"]
        assert (fact.failed, fact.word, fact.detail) == (True, "Not applied", f"{problem}.")
        assert "2 repositories with 3 DAGs (here: 2, there: 1)" in overview(
            User.objects.create_superuser("ada", password="x")
        )
        # Names of repositories are for who may see those.
        limited = overview(make_staff("eve", "view_repository"))
        assert "Not applied" in limited
        assert "here: 2" not in limited
        found = declaration()
        assert found.status is CheckStatus.FAIL
        assert found.detail == f"the leader does not apply the declaration: {problem}"
        assert found.remedy
    assert log.read_text().count("the declared repositories are not applied: ") == 1
    assert stored()[0] == ALL[0]


def test_a_declaration_that_is_restored_clears_the_problem(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lead = take_lead()
    assert lead
    with pytest.raises(DeclarationError):
        follow({**environ, "KIOK_GITSYNC_REPOS": ""}, monkeypatch)
    jobs_of(Scope.LEADER).start_if_due()
    eventually(problem_of_leader, 30, "the problem in the store")
    assert [fact.name for fact in health.facts()][-1] == "Declaration"
    follow(environ, monkeypatch)
    jobs_of(Scope.LEADER).start_if_due()
    eventually(lambda: not problem_of_leader(), 30, "the problem's end")
    assert "Declaration" not in [fact.name for fact in health.facts()]
    assert (declaration().status, declaration().detail) == (CheckStatus.OK, "2 declared repositories")
    resign(lead)
