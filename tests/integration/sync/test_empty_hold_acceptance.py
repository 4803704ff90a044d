"""The acceptance of a held commit: by actions, on the command line and over the API."""

from __future__ import annotations

import json

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.utils import timezone

from gitsync.actions import ActionRefused, accept_empty, mark_accepted
from gitsync.models import QueuedSync, Repository, SyncRun
from gitsync.sync.empty_hold import hold_of
from gitsync.sync.poll import poll
from gitsync.sync.run import SyncOptions, sync_repository
from kiok.metadata.models import DagVersion
from tests.integration.conftest import Sync
from tests.support.api_client import Api, make_token, make_user
from tests.support.cluster import workers
from tests.support.held_commits import TWO, UIDS, empty, row, served
from tests.support.processes import gitsync
from tests.support.queue_state import run_now
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)


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
    with pytest.raises(ActionRefused) as refused:  # the held commit is from another configuration
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


def test_the_first_accepter_is_recorded_and_logged_and_requests_the_sync(
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


def test_a_dry_run_shows_the_prune_and_that_it_would_be_held(
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


def test_the_command_line_accepts_a_held_commit_and_records_the_user(
    guarded: Repository, work_repo: WorkRepo
) -> None:
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
def test_accepting_needs_the_same_permissions_as_a_sync(
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
