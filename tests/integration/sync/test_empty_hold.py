"""A commit that prunes every DAG of a repository whose allowEmpty is false: held, until exactly that commit is accepted."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from gitsync.actions import ActionRefused, accept_empty, mark_accepted
from gitsync.models import QueuedSync, Repository, SyncRun
from gitsync.sync.empty_hold import hold_of
from gitsync.sync.poll import poll
from gitsync.sync.run import SyncOptions, sync_repository
from kiok.metadata.models import Dag, DagVersion
from tests.integration.conftest import Sync, yaml_dag
from tests.support.api_client import Api, make_token, make_user
from tests.support.cluster import workers
from tests.support.processes import gitsync
from tests.support.queue_state import run_now
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

TWO = {"dags/a.yaml": yaml_dag("a"), "dags/b.yaml": yaml_dag("b")}
UIDS = ("team/dags/a.yaml", "team/dags/b.yaml")


@pytest.fixture
def ada(transactional_db: None) -> User:
    return User.objects.create_superuser("ada", password="x")


@pytest.fixture
def guarded(work_repo: WorkRepo, repository: Repository, sync: Sync) -> Repository:
    """A synced repository of two DAGs whose allowEmpty is false."""
    Repository.objects.update(subpath="dags", allow_empty=False)
    work_repo.publish({**TWO, "README": "x"})
    assert sync().created == UIDS
    repository.refresh_from_db()
    return repository


def served() -> list[str]:
    return list(Dag.objects.filter(stale_since=None).order_by("uid").values_list("uid", flat=True))


def row() -> Repository:
    return Repository.objects.get(name="team")


def empty(work_repo: WorkRepo, note: str = "") -> str:
    """Push a commit without DAGs."""
    for path in TWO:
        (work_repo.work / path).unlink(missing_ok=True)
    return work_repo.publish({"dags/README": note})


def delete_the_files(work_repo: WorkRepo) -> None:
    empty(work_repo)


def ignore_all(work_repo: WorkRepo) -> None:
    work_repo.publish({".kiokignore": "*\n"})


def make_them_no_dags(work_repo: WorkRepo) -> None:
    work_repo.publish(dict.fromkeys(TWO, "on: push\n"))


def follow_a_branch_without_dags(work_repo: WorkRepo) -> None:
    work_repo.git("checkout", "-q", "-b", "bare")
    empty(work_repo)
    work_repo.git("checkout", "-q", "main")
    Repository.objects.update(ref="bare")


def choose_a_folder_without_dags(work_repo: WorkRepo) -> None:
    work_repo.publish({"other/README": "x"})
    Repository.objects.update(subpath="other")


def rewrite_the_history(work_repo: WorkRepo) -> None:
    work_repo.rewrite({"README": "new", "dags/README": "new"})


@pytest.mark.parametrize(
    "lose",
    [
        delete_the_files,
        ignore_all,
        make_them_no_dags,
        follow_a_branch_without_dags,
        choose_a_folder_without_dags,
        rewrite_the_history,
    ],
)
@pytest.mark.parametrize("full", [False, True])
def test_whatever_would_prune_every_dag_is_held_and_changes_nothing(
    guarded: Repository, work_repo: WorkRepo, sync: Sync, lose: Callable[[WorkRepo], None], full: bool
) -> None:
    before = row()
    lose(work_repo)
    report = sync(full=full)
    assert (report.state, report.reason, report.pruned) == ("failing", "would_empty", ())
    assert report.to_commit[:12] in report.message
    assert "would prune all 2 DAGs of the repository, and its allowEmpty is false" in report.message
    after = row()
    assert (after.state, after.reason, after.message) == ("failing", "would_empty", report.message)
    assert (after.last_commit, after.last_good_commit) == (report.to_commit, before.last_good_commit)
    assert served() == list(UIDS)
    hold = hold_of(after)
    assert hold
    assert (hold.commit, hold.dags, hold.accepted_by) == (report.to_commit, 2, "")
    assert SyncRun.objects.filter(state="failed", reason="would_empty").count() == 1


def test_the_default_prunes_and_an_upgrade_changes_no_digest(
    work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    assert Repository().allow_empty
    before = repository.config_hash
    work_repo.publish(TWO)
    sync()
    empty(work_repo)
    assert (sync().pruned, served()) == (UIDS, [])
    repository.allow_empty = False
    assert repository.config_hash != before


def test_a_commit_that_leaves_a_dag_or_finds_none_is_not_held(
    guarded: Repository, work_repo: WorkRepo, sync: Sync
) -> None:
    (work_repo.work / "dags/a.yaml").unlink()
    work_repo.publish()
    assert sync().pruned == ("team/dags/a.yaml",)  # one of two
    (work_repo.work / "dags/b.yaml").unlink()
    work_repo.publish({"dags/c.yaml": yaml_dag("c")})
    assert (sync().state, served()) == ("in_sync", ["team/dags/c.yaml"])  # the last one moved
    work_repo.publish({"dags/c.yaml": "dag: {id: c}\ntasks: 5\n"})
    assert sync().stale == ("team/dags/c.yaml",)  # the only one fails: it is left, stale
    Dag.objects.all().delete()
    empty(work_repo)
    (work_repo.work / "dags/c.yaml").unlink()
    work_repo.publish()
    assert sync().state == "in_sync"  # there was none to prune


def test_the_hold_lasts_and_a_commit_with_dags_ends_it(
    guarded: Repository, work_repo: WorkRepo, sync: Sync
) -> None:
    empty(work_repo)
    held = sync()
    runs = SyncRun.objects.count()
    assert poll(guarded.pk) is False  # polls find nothing to do, and write no sync
    assert (sync().reason, row().message, SyncRun.objects.count()) == ("would_empty", held.message, runs)
    work_repo.publish({"dags/c.yaml": yaml_dag("c")})
    report = sync()
    assert (report.state, report.pruned, report.created) == ("in_sync", UIDS, ("team/dags/c.yaml",))
    assert row().empty_hold is None


def test_switching_it_on_releases_the_hold_at_the_next_poll(
    guarded: Repository, work_repo: WorkRepo, sync: Sync
) -> None:
    empty(work_repo)
    sync()
    assert poll(guarded.pk) is False
    Repository.objects.update(allow_empty=True)
    assert hold_of(row()) is None
    assert poll(guarded.pk) is True
    assert sync_repository(guarded.pk, SyncOptions()).pruned == UIDS


def test_exactly_the_accepted_commit_is_pruned_by_and_once(
    guarded: Repository, work_repo: WorkRepo, sync: Sync, ada: User
) -> None:
    first = empty(work_repo, "first")
    sync()
    second = empty(work_repo, "second")
    accept_empty(ada, row(), first)
    report = sync()  # the second one came before the sync that was accepted
    assert (report.reason, report.to_commit, served()) == ("would_empty", second, list(UIDS))
    with pytest.raises(ActionRefused, match=f"is {second}, not {first}") as refused:
        accept_empty(ada, row(), first)
    assert refused.value.code == "other_commit_held"

    accept_empty(ada, row(), second)
    assert poll(guarded.pk) is True  # without the task that was queued, too
    assert (sync().pruned, served()) == (UIDS, [])
    assert "the commit prunes all 2 DAGs, as accepted by ada" in SyncRun.objects.order_by("-id")[0].log
    assert DagVersion.objects.count() == 2
    assert row().empty_hold is None

    work_repo.publish(TWO)
    sync()
    work_repo.git("reset", "-q", "--hard", second)
    work_repo.push(force=True)
    report = sync()
    assert (report.reason, report.to_commit) == ("would_empty", second)  # accepted once, not for ever


def test_acceptance_ends_with_an_edit_of_the_configuration(
    guarded: Repository, work_repo: WorkRepo, sync: Sync, ada: User
) -> None:
    commit = empty(work_repo)
    work_repo.publish({"other/README": "x"})
    commit = work_repo.head()
    sync()
    accept_empty(ada, row(), commit)
    Repository.objects.update(subpath="other")
    assert (sync().reason, served()) == ("would_empty", list(UIDS))
    Repository.objects.update(subpath="dags")
    with pytest.raises(ActionRefused) as refused:  # what is held is of another configuration
        accept_empty(ada, row(), commit)
    assert refused.value.code == "nothing_held"


def test_an_acceptance_during_a_sync_of_the_commit_is_not_lost(
    guarded: Repository, work_repo: WorkRepo, sync: Sync, ada: User
) -> None:
    commit = empty(work_repo)
    sync()
    accepted: list[str] = []

    def progress(step: str, _detail: str) -> None:
        if step == "plan" and not accepted:
            accepted.append(accept_empty(ada, row(), commit))

    report = sync_repository(guarded.pk, SyncOptions(full=True), progress)
    assert accepted
    assert report.reason == "would_empty"
    hold = hold_of(row())
    assert hold
    assert hold.accepted_by == "ada"
    assert poll(guarded.pk) is True
    assert sync().pruned == UIDS


def test_an_outage_between_hold_and_acceptance_changes_neither(
    guarded: Repository, work_repo: WorkRepo, sync: Sync, ada: User
) -> None:
    commit = empty(work_repo)
    sync()
    away = work_repo.bare.with_name("away")
    work_repo.bare.rename(away)
    assert sync().reason != "would_empty"
    accept_empty(ada, row(), commit)
    assert served() == list(UIDS)
    away.rename(work_repo.bare)
    assert sync().pruned == UIDS


def test_nothing_is_accepted_where_nothing_is_held_or_the_repository_rests(
    guarded: Repository, work_repo: WorkRepo, sync: Sync, ada: User
) -> None:
    with pytest.raises(ActionRefused, match="is held for acceptance") as refused:
        accept_empty(ada, guarded, guarded.last_good_commit)
    assert refused.value.code == "nothing_held"
    commit = empty(work_repo)
    sync()
    for fields, code in (
        ({"enabled": False}, "disabled"),
        ({"enabled": True, "paused_at": timezone.now(), "paused_by": "eve", "pause_reason": "r"}, "paused"),
    ):
        Repository.objects.update(**fields)
        with pytest.raises(ActionRefused) as refused:
            accept_empty(ada, row(), commit)
        assert refused.value.code == code
    stored = row().empty_hold
    assert stored
    assert stored["accepted_by"] == ""


def test_who_accepted_first_is_recorded_and_in_the_log_and_asks_for_the_sync(
    guarded: Repository, work_repo: WorkRepo, sync: Sync, ada: User
) -> None:
    commit = empty(work_repo)
    sync()
    accept_empty(ada, row(), commit)
    assert mark_accepted(row(), commit, "eve").accepted_by == "ada"
    (entry,) = LogEntry.objects.all()
    assert entry.get_change_message() == f"Accepted commit {commit}, which prunes all 2 DAGs."
    (turn,) = QueuedSync.objects.filter(repository=guarded)
    assert run_now(guarded.pk, *turn.arguments) == "team: in_sync"
    run = SyncRun.objects.order_by("-id")[0]
    assert (run.requested_by, len(run.changes["pruned"])) == ("ada", 2)


def test_a_dry_run_shows_the_prune_and_says_that_it_would_be_held(
    guarded: Repository, work_repo: WorkRepo, sync: Sync, ada: User
) -> None:
    commit = empty(work_repo)
    report = sync(dry_run=True)
    assert (report.state, report.reason, report.pruned) == ("failing", "would_empty", UIDS)
    assert report.message.endswith("a sync would hold the commit until it is accepted")
    assert row().empty_hold is None
    shown = gitsync("--now", "--dry-run", COLUMNS="160")
    assert shown.returncode == 1
    assert "- pruned   team/dags/a.yaml" in shown.stdout
    assert "would hold the commit until it is accepted" in shown.stdout
    sync()
    mark_accepted(row(), commit, "ada")
    assert (sync(dry_run=True).state, served()) == ("in_sync", list(UIDS))


def test_the_command_line_accepts_what_is_held_and_says_who(guarded: Repository, work_repo: WorkRepo) -> None:
    for wrong in (
        ("--now", "--accept-empty"),
        ("--list", "--repo", "team", "--accept-empty"),
        ("--now", "--repo", "team", "--dry-run", "--accept-empty"),
    ):
        done = gitsync(*wrong)
        assert (done.returncode, "--accept-empty requires" in done.stderr) == (2, True)
    early = gitsync("--now", "--repo", "team", "--accept-empty")
    assert (early.returncode, early.stdout) == (2, "")
    assert "No commit of team is held for acceptance" in early.stderr

    commit = empty(work_repo)
    held = gitsync("--now", "--repo", "team", "--json")
    assert held.returncode == 1
    assert json.loads(held.stdout)["repositories"][0]["reason"] == "would_empty"
    (listed,) = json.loads(gitsync("--list", "--json").stdout)["repositories"]
    assert (listed["allowEmpty"], listed["held"]) == (
        False,
        {"commit": commit, "dags": 2, "accepted_by": ""},
    )

    # All that are named, or none.
    Repository.objects.create(name="other", url=work_repo.file_url)
    both = gitsync("--now", "--repo", "team", "--repo", "other", "--accept-empty")
    assert (both.returncode, "No commit of other is held" in both.stderr) == (2, True)
    hold = hold_of(row())
    assert hold
    assert hold.accepted_by == ""

    done = gitsync("--now", "--repo", "team", "--accept-empty", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["repositories"][0]["pruned"] == list(UIDS)
    run = SyncRun.objects.filter(repository=guarded).order_by("-id")[0]
    assert "(command line)" in run.requested_by
    assert f"as accepted by {run.requested_by}" in run.log


def test_over_the_api_the_commit_is_named_and_the_answer_is_the_sync(
    guarded: Repository, work_repo: WorkRepo, sync: Sync, ada: User
) -> None:
    api = Api(make_token(ada)[0])
    path = "repositories/team"
    assert api.ok(path)["held"] is None
    assert api.ok(path)["allowEmpty"] is False
    none = api("POST", f"{path}/accept-empty", {"commit": "1" * 40})
    assert (none.status_code, none.json()["type"]) == (409, "urn:kiok:problem:nothing-held")
    commit = empty(work_repo)
    sync()
    assert api.ok(path)["held"] == {"commit": commit, "dags": 2, "acceptedBy": ""}
    other = api("POST", f"{path}/accept-empty", {"commit": "1" * 40})
    assert (other.status_code, other.json()["type"]) == (409, "urn:kiok:problem:other-commit-held")
    assert commit in other.json()["detail"]
    for body in ({}, {"commit": commit[:12]}, {"commit": None}, {"commit": commit, "full": True}):
        assert api("POST", f"{path}/accept-empty", body).status_code == 422
    assert served() == list(UIDS)
    with workers({"KIOK_GITSYNC_ENABLED": "false", "KIOK_WORKERS": "1"}):
        answer = api("POST", f"{path}/accept-empty", {"commit": commit}, wait=60)
    assert answer.status_code == 200, answer.content
    result = answer.json()["result"]
    assert (result["ok"], result["outcome"], result["commit"]) == (True, "synced", commit)
    assert result["sync"]["counts"]["pruned"] == 2
    assert (result["sync"]["trigger"], result["sync"]["requestedBy"]) == ("api", "ada")
    assert api.ok(answer["Location"])["result"] == result
    assert (served(), api.ok(path)["held"]) == ([], None)


@pytest.mark.parametrize(
    ("permissions", "scopes", "status"),
    [
        (("view_repository",), ("read", "sync", "write"), 403),
        (("view_repository", "change_repository"), ("read", "write"), 403),
        (("view_repository", "change_repository"), ("sync",), 202),
    ],
)
def test_accepting_takes_what_a_sync_takes(
    guarded: Repository,
    work_repo: WorkRepo,
    sync: Sync,
    permissions: tuple[str, ...],
    scopes: tuple[str, ...],
    status: int,
) -> None:
    user = make_user("eve", *permissions, groups=["team"])
    api = Api(make_token(user, scopes=scopes)[0])
    commit = empty(work_repo)
    sync()
    # Of another group's: it is not there.
    assert api("POST", "repositories/team/accept-empty", {"commit": commit}).status_code in (403, 404)
    guarded.groups.set(user.groups.all())
    assert api("POST", "repositories/team/accept-empty", {"commit": commit}).status_code == status
    stored = row().empty_hold
    assert stored
    assert bool(stored["accepted_by"]) == (status == 202)


def page(action: str = "change") -> str:
    return f"/admin/gitsync/repository/{row().pk}/{action}/"


def press(browser: Client, **form: Any) -> str:
    return browser.post(page("accept-empty"), form, follow=True).content.decode()


@pytest.mark.parametrize("managed_by", ["admin", "config"])
def test_the_page_shows_what_is_held_and_accepts_what_it_showed(
    guarded: Repository, work_repo: WorkRepo, sync: Sync, ada: User, managed_by: str
) -> None:
    Repository.objects.update(managed_by=managed_by)
    browser = Client()
    browser.force_login(ada)
    assert "Held commit" not in browser.get(page()).content.decode()
    commit = empty(work_repo)
    sync()
    # In what the page's script fetches, too: the hold may come while the page is open.
    status = browser.get(page("sync/status")).json()["parts"]["body"]
    shown = browser.get(page()).content.decode()
    for text in (status, shown):
        assert "Held commit" in text
        assert "would prune <strong>all 2 DAGs</strong>" in text
        assert f'form="accept-empty" name="commit" value="{commit}"' in text
    assert f'action="{page("accept-empty")}" id="accept-empty"' in shown

    for wrong in ({"commit": "1" * 40}, {}):
        assert f"is {commit}, not" in press(browser, **wrong)
    assert browser.get(page("accept-empty")).status_code == 405
    shown = press(browser, commit=commit)
    assert f"Accepted commit {commit} of team." in shown
    assert "Accepted by ada." in shown
    assert 'form="accept-empty"' not in shown
    sync()
    assert "Held commit" not in browser.get(page()).content.decode()
    assert served() == []


def test_who_may_only_view_sees_the_hold_without_the_button(
    guarded: Repository, work_repo: WorkRepo, sync: Sync
) -> None:
    viewer = make_user("eve", "view_repository", groups=["team"])
    viewer.is_staff = True
    viewer.save()
    guarded.groups.set(viewer.groups.all())
    commit = empty(work_repo)
    sync()
    browser = Client()
    browser.force_login(viewer)
    shown = browser.get(page()).content.decode()
    assert "Held commit" in shown
    assert 'form="accept-empty"' not in shown
    assert 'id="accept-empty"' not in shown
    assert browser.post(page("accept-empty"), {"commit": commit}).status_code == 403
    assert served() == list(UIDS)


def test_the_page_of_a_paused_repository_says_why_it_cannot_be_accepted(
    guarded: Repository, work_repo: WorkRepo, sync: Sync, ada: User
) -> None:
    commit = empty(work_repo)
    sync()
    Repository.objects.update(paused_at=timezone.now(), paused_by="eve", pause_reason="r")
    assert hold_of(row()) is None  # a pause is part of the configuration that a sync is fenced by
    browser = Client()
    browser.force_login(ada)
    assert "is paused by eve" in press(browser, commit=commit)
