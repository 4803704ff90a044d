"""A declaration of repositories that is lost removes none of them, on any path that follows the declaration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from gitsync.models import DeclarationState, ManagedBy, Repository, SyncRun
from gitsync.monitoring import health
from gitsync.monitoring.doctor.workers import declaration
from gitsync.repositories.declared import MAX_NAMED, DeclarationError, follow_declaration, missing_declaration
from gitsync.sync.run import sync_repository
from kiok.checks import CheckStatus
from kiok.cluster.leader import resign, take_lead
from kiok.cluster.models import LeaderLease
from kiok.cluster.periodic import Scope, jobs_of
from kiok.metadata.models import Dag
from kiok.server import properties
from kiok.server.errors import PropertyError
from tests.integration.conftest import yaml_dag
from tests.support.api_client import make_user
from tests.support.cluster import eventually, workers
from tests.support.processes import gitsync
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

ALLOW = {"KIOK_GITSYNC_REPOS_ALLOW_EMPTY": "true"}


@pytest.fixture
def environ(
    work_repo: WorkRepo, transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """Two repositories, `here` in the property and `there` in the file, both synced: three DAGs. Their environment."""
    work_repo.publish({"a.yaml": yaml_dag("a"), "sub/b.yaml": yaml_dag("b")})
    file = tmp_path / "repositories.yaml"
    file.write_text(f"- name: there\n  url: {work_repo.file_url}\n  subpath: sub\n")
    declared = {
        "KIOK_GITSYNC_REPOS": f"here|{work_repo.file_url}|main|",
        "KIOK_GITSYNC_REPOS_FILE": str(file),
    }
    assert follow(declared, monkeypatch) == ["here", "there"]
    for repository in Repository.objects.all():
        assert sync_repository(repository.pk).ok
    LeaderLease.objects.update_or_create(pk=1, defaults={"holder": "", "expires_at": None})
    DeclarationState.objects.all().delete()
    return declared


def stored() -> tuple[list[str], int]:
    names = Repository.objects.order_by("name").values_list("name", flat=True)
    return list(names), Dag.objects.filter(stale_since=None).count()


ALL = (["here", "there"], 3)


def follow(environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Follow the declaration as a process with this environment does. Raises DeclarationError."""
    loaded = properties.load(environ)
    monkeypatch.setattr(
        settings,
        "KIOK",
        replace(
            settings.KIOK,
            gitsync_repos=loaded.gitsync_repos,
            gitsync_repos_file=loaded.gitsync_repos_file,
            file_repositories=loaded.file_repositories,
            invalid_repositories=loaded.invalid_repositories,
            gitsync_repos_allow_empty=loaded.gitsync_repos_allow_empty,
            sources=loaded.sources,
        ),
    )
    return follow_declaration()


def without(environ: Mapping[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in environ.items() if key != name}


BLANK = ("", "  ", ",", " , \t,")


@pytest.mark.parametrize("blank", BLANK)
def test_a_blank_property_removes_none_of_its_repositories(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, blank: str
) -> None:
    with pytest.raises(DeclarationError) as refused:
        follow({**environ, "KIOK_GITSYNC_REPOS": blank}, monkeypatch)
    message = str(refused.value)
    assert message.startswith(
        "kiok.gitsync.repos (environment variable KIOK_GITSYNC_REPOS) is empty, so 1 repository with 2 DAGs (here: 2) would "
        "be deleted. Nothing was changed"
    )
    assert "kiok.gitsync.repos.allow.empty=true" in message
    assert stored() == ALL


EMPTY_FILES = {
    "empty": "",
    "blank lines": "\n \n",
    "comments": "# - name: there\n#   url: x\n",
    "a list without entries": "[]\n",
    "a list without entries, in a document": "---\n# none yet\n[]\n...\n",
    "a byte order mark": "\ufeff",
    "a byte order mark and comments": "\ufeff# none\n",
}


@pytest.mark.parametrize("text", EMPTY_FILES.values(), ids=EMPTY_FILES)
def test_a_file_without_entries_removes_none_of_its_repositories(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    Path(environ["KIOK_GITSYNC_REPOS_FILE"]).write_text(text)
    with pytest.raises(DeclarationError) as refused:
        follow(environ, monkeypatch)
    assert str(refused.value).startswith(
        f"the file {environ['KIOK_GITSYNC_REPOS_FILE']} (kiok.gitsync.repos.file) declares no repository, so 1 "
        "repository with 1 DAG (there: 1) would be deleted"
    )
    assert stored() == ALL


BROKEN_FILES = {
    "null": "null\n",
    "a document marker alone": "---\n",
    "a mapping with an empty list": "repositories: []\n",
    "an empty mapping": "{}\n",
    "conflict markers of a merge": "<<<<<<< HEAD\n=======\n- name: there\n  url: x\n>>>>>>> theirs\n",
    "an alias to nothing": "- *there\n",
    "cut off in the middle of an entry": "- name: there\n  ur",
    "cut off in the middle of a quote": '- name: "the',
    "two documents": "[]\n---\n- name: there\n  url: x\n",
    "a Git LFS pointer": "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
}


@pytest.mark.parametrize("text", BROKEN_FILES.values(), ids=BROKEN_FILES)
def test_a_file_that_is_no_list_of_repositories_is_a_wrong_property(
    environ: dict[str, str], text: str
) -> None:
    file = Path(environ["KIOK_GITSYNC_REPOS_FILE"])
    file.write_text(text)
    with pytest.raises(PropertyError) as refused:
        properties.load({**environ, **ALLOW})
    assert all(problem.startswith(f"{file}:") for problem in refused.value.problems)


NAMELESS_ENTRIES = {
    "a list of null": "- \n- null\n",
    "a list of empty mappings": "- {}\n",
    "a merge key in place of the entries": "- <<: &base {name: there, url: x}\n",
}


@pytest.mark.parametrize("text", NAMELESS_ENTRIES.values(), ids=NAMELESS_ENTRIES)
def test_entries_without_a_name_may_be_any_repository_so_that_none_is_removed(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    Path(environ["KIOK_GITSYNC_REPOS_FILE"]).write_text(text)
    assert follow({**environ, "KIOK_GITSYNC_REPOS": "", **ALLOW}, monkeypatch) == []
    assert stored() == ALL


def test_a_file_of_invalid_entries_alone_removes_none_of_its_repositories(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(environ["KIOK_GITSYNC_REPOS_FILE"]).write_text("- name: new\n")
    with pytest.raises(DeclarationError, match=r"declares no valid repository, so 1 repository with 1 DAG"):
        follow(environ, monkeypatch)
    assert stored() == ALL


@pytest.mark.parametrize("loss", ["missing", "folder", "link to nothing", "not UTF-8", "too large"])
def test_a_file_that_cannot_be_read_is_a_wrong_property(environ: dict[str, str], loss: str) -> None:
    file = Path(environ["KIOK_GITSYNC_REPOS_FILE"])
    file.unlink()
    if loss == "folder":
        file.mkdir()
    elif loss == "link to nothing":
        file.symlink_to(file.with_name("nowhere"))
    elif loss == "not UTF-8":
        file.write_bytes(b"\xff\xfe\x00")
    elif loss == "too large":
        file.write_bytes(b"#" * (4 * 1024 * 1024 + 1))
    with pytest.raises(PropertyError, match=r"kiok\.gitsync\.repos\.file|repositories\.yaml") as refused:
        properties.load({**environ, **ALLOW})
    assert str(file) in str(refused.value)


def test_a_wrong_property_stops_every_command_before_anything_is_removed(environ: dict[str, str]) -> None:
    file = Path(environ["KIOK_GITSYNC_REPOS_FILE"])
    file.write_text("repositories: []\n")
    for command in (("--list",), ("--now",)):
        done = gitsync(*command, **environ, **ALLOW)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"{file}:1: found a mapping; expected a list of repositories" in done.stderr
    assert stored() == ALL


@pytest.mark.parametrize(
    ("lost", "says"),
    [
        ("KIOK_GITSYNC_REPOS", "kiok.gitsync.repos is not set, so 1 repository with 2 DAGs (here: 2)"),
        (
            "KIOK_GITSYNC_REPOS_FILE",
            "kiok.gitsync.repos.file is not set, so 1 repository with 1 DAG (there: 1)",
        ),
    ],
)
def test_one_of_two_properties_that_is_lost_removes_none_of_its_repositories(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, lost: str, says: str
) -> None:
    with pytest.raises(DeclarationError) as refused:
        follow(without(environ, lost), monkeypatch)
    assert str(refused.value).startswith(says)
    assert stored() == ALL


def test_both_that_are_empty_are_named_with_all_that_would_go(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(environ["KIOK_GITSYNC_REPOS_FILE"]).write_text("")
    with pytest.raises(DeclarationError) as refused:
        follow({**environ, "KIOK_GITSYNC_REPOS": ""}, monkeypatch)
    assert "2 repositories with 3 DAGs (here: 2, there: 1) would be deleted" in str(refused.value)
    assert " is empty and the file " in str(refused.value)
    assert stored() == ALL


@pytest.mark.parametrize("blank", BLANK)
def test_repositories_from_before_the_source_was_recorded_are_kept_too(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, blank: str
) -> None:
    Repository.objects.update(declared_source="")
    with pytest.raises(DeclarationError, match=r"2 repositories with 3 DAGs"):
        follow({"KIOK_GITSYNC_REPOS": blank}, monkeypatch)
    with pytest.raises(DeclarationError, match=r"kiok.gitsync.repos.file .* is empty"):
        follow({"KIOK_GITSYNC_REPOS_FILE": blank.strip(" ,\t")}, monkeypatch)
    assert stored() == ALL


def test_of_very_many_repositories_the_first_are_named(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(MAX_NAMED + 3):
        Repository.objects.create(name=f"r{number:03}", url="x", managed_by=ManagedBy.CONFIG)
    with pytest.raises(DeclarationError, match=r"23 repositories with 0 DAGs .*r019: 0, and 3 more\)"):
        follow({"KIOK_GITSYNC_REPOS": ""}, monkeypatch)


def test_a_refused_declaration_changes_nothing_else_either(
    environ: dict[str, str], work_repo: WorkRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Path(environ["KIOK_GITSYNC_REPOS_FILE"])
    file.write_text(f"- name: there\n  url: {work_repo.file_url}\n  ref: other\n- name: new\n  url: x\n")
    with pytest.raises(DeclarationError):
        follow({**environ, "KIOK_GITSYNC_REPOS": ""}, monkeypatch)
    assert stored() == ALL
    assert set(Repository.objects.values_list("ref", flat=True)) == {"main"}


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
        assert (fact.failed, fact.word, fact.detail) == (True, "not applied", f"{problem}.")
        assert "2 repositories with 3 DAGs (here: 2, there: 1)" in overview(
            User.objects.create_superuser("ada", password="x")
        )
        # Names of repositories are for who may see those.
        limited = overview(make_staff("eve", "view_repository"))
        assert "not applied" in limited
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
