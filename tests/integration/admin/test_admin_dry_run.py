"""The button "Dry run" in the admin: its result is shown when it is ready, and nothing is written."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ, Task
from django_q.signing import SignedPackage

from gitsync import actions, tasks
from gitsync.models import Repository, SourceFile, SyncRun
from gitsync.sync import dry_run as previews
from gitsync.sync.dry_run import preview
from kiok.metadata.models import Dag, DagVersion
from kiok.server.apps import take_secrets_out
from tests.integration.conftest import Sync, yaml_dag
from tests.support.admin_pages import page
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/gitsync/repository/"


def panel(browser: Client, repository: Repository) -> dict[str, Any]:
    shown: dict[str, Any] = browser.get(page(repository, "dry-run/status")).json()
    return shown


def work() -> None:
    """Do the queued dry run and record its end, as django-q2's worker and monitor do."""
    row = OrmQ.objects.get()
    task = SignedPackage.loads(row.payload)
    assert task["func"] == tasks.DRY_RUN
    done = {**task, "result": tasks.dry_run(*task["args"])}
    take_secrets_out(done)
    Task.objects.create(
        id=task["id"], name=task["name"], func=task["func"], group=task["group"],
        result=done["result"], started=task["started"], stopped=timezone.now(), success=True,
    )  # fmt: skip
    row.delete()


def stored() -> list[Any]:
    """All that a sync could write."""
    return [
        list(table.objects.order_by("pk").values())
        for table in (Dag, DagVersion, SourceFile, SyncRun, Repository)
    ]


def test_the_page_shows_the_dry_run_when_it_is_ready_and_writes_nothing(
    browser: Client, work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    work_repo.publish({f"{name}.yaml": yaml_dag(name) for name in ("gone", "kept", "same", "turned")})
    sync()
    (work_repo.work / "gone.yaml").unlink()
    work_repo.publish(
        {
            "kept.yaml": "dag:\n  id: kept\ntasks: 3\n",
            "new.yaml": yaml_dag("new"),
            "ci.yml": "'<b>on': push\n",
            "turned.yaml": yaml_dag("turned", "echo <b>other</b>"),
        }
    )
    before = stored()
    assert 'id="dry-run"' not in browser.get(page(repository)).content.decode()

    answer = browser.post(page(repository, "dry-run"))

    assert answer.headers["Location"] == page(repository)
    assert panel(browser, repository)["settled"] is False
    waiting = browser.get(page(repository)).content.decode()
    assert 'id="dry-run"' in waiting
    assert "A worker determines what a sync would do" in waiting
    work()
    shown = panel(browser, repository)
    assert shown["settled"] is True
    line, body = shown["parts"]["line"], shown["parts"]["body"]
    assert "1 DAG would be created, 1 DAG would be updated, 1 DAG would be pruned" in line
    assert "1 is unchanged. 1 file fails. Nothing was written." in line
    for text in ("1 DAG would be pruned", "team/gone.yaml", "team/new.yaml", "kept.yaml:", "team/kept.yaml"):
        assert text in body
    assert "1 file is not a DAG" in body
    assert "it has no key &#x27;dag&#x27; at the top level (found: &#x27;&lt;b&gt;on&#x27;)" in body
    assert "Changes in team/turned.yaml" in body
    assert "After the sync" in body
    assert "<b>other" not in body
    assert "&lt;" in body
    assert shown["parts"]["line"] in browser.get(page(repository)).content.decode()
    assert stored() == before
    assert LogEntry.objects.get().get_change_message() == "Requested a dry run."

    sync()
    assert "The repository was synced after this dry run" in panel(browser, repository)["parts"]["body"]


def test_files_that_could_not_be_evaluated_are_shown_with_the_reason(
    browser: Client, repository: Repository
) -> None:
    Repository.objects.update(url="file:///nowhere/at/all.git")
    browser.post(page(repository, "dry-run"))
    work()
    shown = panel(browser, repository)
    assert shown["settled"] is True
    assert "A sync would fail (repository_not_found)" in shown["parts"]["line"]
    assert "Nothing was written" in shown["parts"]["line"]
    assert SyncRun.objects.count() == 0
    Repository.objects.update(ref="other")
    assert panel(browser, repository)["parts"]["line"] == ""


def test_a_paused_repository_can_be_tried_out_and_one_switched_off_cannot(
    browser: Client, work_repo: WorkRepo, repository: Repository
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    actions.pause(User.objects.get(), repository, "release weekend")
    browser.post(page(repository, "dry-run"))
    work()
    assert "1 DAG would be created" in panel(browser, repository)["parts"]["line"]
    Repository.objects.update(enabled=False)
    answer = browser.post(page(repository, "dry-run"), follow=True)
    assert "No dry run was started. team is disabled." in answer.content.decode()
    assert OrmQ.objects.count() == 0


def test_a_dry_run_needs_post_change_permission_and_visibility(
    browser: Client, repository: Repository
) -> None:
    assert browser.get(page(repository, "dry-run")).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get())
    assert strict.post(page(repository, "dry-run")).status_code == 403
    user = User.objects.create_user("vera", password="x", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_repository"))
    client = Client()
    client.force_login(user)
    assert client.get(page(repository, "dry-run/status")).status_code == 404
    group = Group.objects.create(name="data")
    user.groups.add(group)
    repository.groups.add(group)
    assert client.get(page(repository, "dry-run/status")).status_code == 200
    assert client.post(page(repository, "dry-run")).status_code == 403
    assert OrmQ.objects.count() == 0


def test_a_dry_run_that_no_worker_takes_times_out(browser: Client, repository: Repository) -> None:
    browser.post(page(repository, "dry-run"))
    session = browser.session
    (requested,) = session["gitsync_operations_dry-run"]
    requested["at"] -= 24 * 3600
    session.save()
    shown = panel(browser, repository)
    assert shown["settled"] is True
    assert "No worker did the dry run" in shown["parts"]["line"]


def test_the_preview_shows_served_and_future_versions(
    work_repo: WorkRepo, repository: Repository, sync: Sync
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a"), "long.yaml": yaml_dag("long")})
    sync()
    long = "echo " + "x" * previews.MAX_SPEC_CHARACTERS
    work_repo.publish({"a.yaml": yaml_dag("a", "echo b"), "long.yaml": yaml_dag("long", long)})

    found = preview(repository.pk)

    (changed,) = found["updated"]
    assert changed["uid"] == "team/a.yaml"
    scripts = [changed[side]["tasks"][0]["script"] for side in ("before", "after")]
    assert scripts == ["echo a", "echo b"]
    assert (found["left_out"], found["too_large"]) == (1, ["team/long.yaml"])
    assert found["counts"]["updated"] == 2


def test_a_preview_of_very_many_changes_stays_small_and_counts_them_all(
    work_repo: WorkRepo, repository: Repository, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews, "MAX_UPDATED", 3)
    monkeypatch.setattr(previews, "MAX_LISTED", 5)
    names = [f"n{number}" for number in range(8)]
    work_repo.publish({f"{name}.yaml": yaml_dag(name) for name in names})
    sync()
    work_repo.publish({f"{name}.yaml": yaml_dag(name, "echo other") for name in names})

    found = preview(repository.pk)

    assert len(found["report"]["updated"]) == 5
    assert found["counts"]["updated"] == 8
    assert (len(found["updated"]), found["left_out"]) == (3, 5)
