"""Rows of every kind, as many as wanted, for tests of the admin's pages; written without a sync.

`python -m tests.support.admin_rows` writes some into the database of the environment, and prints a key of each kind as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.db import models
from django.utils import timezone

from tests.support.commit_rows import HOSTILE, SHA, hostile_facts

BATCH = 2000


@dataclass(frozen=True, slots=True)
class Amounts:
    """The numbers of rows, spread evenly over repositories and DAGs. By default one row of each kind, and a few more."""

    repositories: int = 8
    dags: int = 8
    versions: int = 16
    runs: int = 10
    syncs: int = 8
    files: int = 9
    deliveries: int = 12
    notifications: int = 9
    connections: int = 3
    tasks: int = 4


def fill(amounts: Amounts) -> None:
    """Write the rows. The repositories are due tomorrow, so no leader polls them."""
    _Rows(amounts, timezone.now()).write()


class _Rows:
    def __init__(self, amounts: Amounts, now: datetime) -> None:
        self._amounts = amounts
        self._now = now

    def write(self) -> None:
        from django.contrib.admin.models import CHANGE, LogEntry
        from django.contrib.auth.models import Group, User
        from django.contrib.contenttypes.models import ContentType

        self._store("connections.Connection", self._connections())
        self._store("gitsync.Repository", self._repositories())
        self._pks = list(apps.get_model("gitsync.Repository").objects.values_list("pk", flat=True))
        for label, rows in (
            ("gitsync.SyncRun", self._syncs()),
            ("gitsync.SourceFile", self._files()),
            ("gitsync.Delivery", self._deliveries()),
            ("metadata.Dag", self._dags()),
            ("metadata.DagVersion", self._versions()),
            ("metadata.DagRun", self._runs()),
        ):
            self._store(label, rows)
        self._store("metadata.TaskRun", self._task_runs())
        self._store("django_q.Task", self._tasks())
        group, _ = Group.objects.get_or_create(name="team")
        user, _ = User.objects.get_or_create(username="service", defaults={"is_staff": True})
        user.groups.add(group)
        for model in (apps.get_model("gitsync.Repository"), apps.get_model("connections.Connection")):
            LogEntry.objects.create(
                user=user,
                content_type=ContentType.objects.get_for_model(model),
                object_id=str(_first(model)),
                object_repr="a row",
                action_flag=CHANGE,
                change_message="[]",
            )
        self._tokens(user)
        self._told(group)

    def _store(self, label: str, rows: Iterator[dict[str, Any]]) -> None:
        model = apps.get_model(label)
        model.objects.bulk_create((model(**row) for row in rows), batch_size=BATCH)

    def _ago(self, number: int) -> datetime:
        return self._now - timedelta(seconds=45 * (number + 1) ** 2 % 40_000_000)

    def _connections(self) -> Iterator[dict[str, Any]]:
        for number in range(self._amounts.connections):
            yield {"id": f"c{number:05}", "type": "git", "description": HOSTILE}

    def _repositories(self) -> Iterator[dict[str, Any]]:
        states = ("in_sync", "degraded", "failing", "never")
        for number in range(self._amounts.repositories):
            state = states[number % 4]
            paused = number % 8 == 4
            yield {
                "name": f"r{number:05}",
                "url": f"https://git.example.org/team/r{number:05}.git",
                "state": state,
                "reason": "timeout" if state == "failing" else "",
                "message": HOSTILE if state in ("failing", "degraded") else "",
                "last_commit": "" if state == "never" else SHA,
                "last_good_commit": "" if state == "never" else SHA,
                "last_good_at": None if state == "never" else self._ago(number),
                "checked_at": None if state == "never" else self._ago(number),
                "next_due_at": self._now + timedelta(days=1),
                "enabled": number % 8 != 7,
                "managed_by": "admin",
                "paused_at": self._ago(number) if paused else None,
                "paused_by": "ada" if paused else "",
                "pause_reason": HOSTILE if paused else "",
            }

    def _syncs(self) -> Iterator[dict[str, Any]]:
        states = ("succeeded", "partial", "failed", "abandoned")
        for number in range(self._amounts.syncs):
            state = states[number % 4]
            began = self._ago(number)
            uid = self._uid(number % self._amounts.dags)
            yield {
                "repository_id": self._pks[number % len(self._pks)],
                "lease_number": number,
                "trigger": ("schedule", "admin", "webhook")[number % 3],
                "requested_by": "ada" if number % 3 == 1 else "",
                "state": state,
                "step": "fetch" if state == "failed" else "",
                "reason": "timeout" if state == "failed" else "",
                "message": HOSTILE if state == "failed" else "",
                "from_commit": SHA,
                "to_commit": SHA[::-1],
                **hostile_facts(began),
                "changes": {"created": [uid], "updated": [uid], "pruned": ["r/gone.yaml"], "stale": [uid]},
                "unchanged": 3,
                "compiled": 2,
                "reused": 1,
                "failed_files": [{"path": "b.yaml", "line": 3, "message": HOSTILE}],
                "files_done": 2,
                "files_total": 2,
                "log": "0.000 began\n1.250 ended\n",
                "timings": {"probe": 0.1, "fetch": 0.2, "compile": 1.4, "apply": 0.05},
                "started_at": began,
                "finished_at": began + timedelta(seconds=3),
            }

    def _files(self) -> Iterator[dict[str, Any]]:
        diagnostic = {
            "message": HOSTILE,
            "line": 3,
            "column": 2,
            "dag": "a",
            "excerpt": {"first": 2, "lines": ["a: 1", "b: [", "c: 3"]},
            "output": "printed\n" * 3,
        }
        for number in range(self._amounts.files):
            failed = number % 3 == 0
            yield {
                "repository_id": self._pks[number % len(self._pks)],
                "path": f"dags/{number:06}.yaml",
                "kind": "yaml",
                "blob_sha": SHA,
                "state": "failed" if failed else "compiled",
                "dags": 0 if failed else 1,
                "diagnostics": [diagnostic] if failed else [],
                "seconds": 0.2,
                "first_failed_at": self._ago(number + 1) if failed else None,
                "last_failed_at": self._ago(number) if failed else None,
                "commit_sha": SHA,
            }

    def _deliveries(self) -> Iterator[dict[str, Any]]:
        outcomes = ("queued", "waiting", "ping", "signature", "other_ref", "payload")
        for number in range(self._amounts.deliveries):
            yield {
                "repository_id": self._pks[number % len(self._pks)],
                "received_at": self._ago(number),
                "service": ("github", "gitlab", "gitea", "bitbucket")[number % 4],
                "event": "push",
                "ref": "refs/heads/main",
                "delivery_id": f"d{number}",
                "status": 202,
                "outcome": outcomes[number % len(outcomes)],
            }

    def _told(self, group: Any) -> None:
        channel = apps.get_model("notifications.NotificationChannel").objects.create(
            name="operators", url="https://hooks.example.org/x", failures=2
        )
        channel.groups.add(group)
        self._store("notifications.Notification", self._notifications())
        notifications = apps.get_model("notifications.Notification").objects.order_by("pk")
        rows = (
            {
                "notification_id": notification,
                "channel": channel,
                "state": ("waiting", "sent", "given_up")[number % 3],
                "attempts": number % 3,
                "outcome": HOSTILE if number % 3 else "",
                "attempted_at": self._ago(number) if number % 3 else None,
            }
            for number, notification in enumerate(notifications.values_list("pk", flat=True))
        )
        self._store("notifications.NotificationDelivery", rows)

    def _notifications(self) -> Iterator[dict[str, Any]]:
        for number in range(self._amounts.notifications):
            yield {
                "repository_id": self._pks[number % len(self._pks)],
                "event": ("failing", "degraded", "recovered")[number % 3],
                "before": "in_sync",
                "state": "failing",
                "reason": "timeout",
                "message": HOSTILE,
                "commit": SHA,
                "at": self._ago(number),
            }

    def _uid(self, number: int) -> str:
        return f"r{number % self._amounts.repositories:05}/dags/{number:06}.yaml"

    def _spec(self, number: int, word: str = "a") -> dict[str, Any]:
        tasks = [
            {
                "id": f"t{at}",
                "type": "shell",
                "script": f"echo {word}",
                "requires": [f"t{at - 1}"] if at else [],
                "timeoutMs": 90_000,
            }
            for at in range(5)
        ]
        return {"id": f"d{number}", "name": HOSTILE, "schedule": "5 * * * *", "tasks": tasks}

    def _dags(self) -> Iterator[dict[str, Any]]:
        source = "dag:\n  id: a\ntasks:\n- id: t0\n  script: echo a\n"
        for number in range(self._amounts.dags):
            stale = number % 4 == 1
            yield {
                "uid": self._uid(number),
                "dag_id": f"d{number}",
                "name": HOSTILE,
                "description": HOSTILE,
                "origin": "git",
                "repository": f"r{number % self._amounts.repositories:05}",
                "source_path": f"dags/{number:06}.yaml",
                "schedule": "5 * * * *" if number % 2 else None,
                "spec": self._spec(number),
                "spec_hash": "0" * 64,
                "version": 2,
                "commit_sha": SHA,
                "source": source,
                "stale_since": self._ago(number) if stale else None,
                "stale_reason": HOSTILE if stale else None,
                "created_at": self._ago(number + 100),
                "updated_at": self._ago(number),
            }

    def _versions(self) -> Iterator[dict[str, Any]]:
        for number in range(self._amounts.versions):
            dag, version = number % self._amounts.dags, number // self._amounts.dags + 1
            yield {
                "uid": self._uid(dag),
                "version": version,
                "spec": self._spec(dag, "ab"[version % 2]),
                "spec_hash": str(version % 2) * 64,
                "commit_sha": SHA,
                **hostile_facts(self._ago(number + 1)),
                "source": f"version: {version}\n",
                "created_at": self._ago(number),
            }

    def _runs(self) -> Iterator[dict[str, Any]]:
        states = ("SUCCESS", "FAILED", "RUNNING", "PENDING", "CANCELLED")
        for number in range(self._amounts.runs):
            began = self._ago(number)
            yield {
                "uid": self._uid(number % self._amounts.dags),
                "version": 1 + number % 2,
                "trigger": "schedule",
                "state": states[number % 5],
                "started_at": began,
                "finished_at": began + timedelta(seconds=40) if number % 5 < 2 else None,
            }

    def _task_runs(self) -> Iterator[dict[str, Any]]:
        runs = apps.get_model("metadata.DagRun").objects.order_by("pk")
        for run in runs.values("pk", "uid", "state")[:200]:
            for task in ("t0", "t1"):
                yield {
                    "dag_run_id": run["pk"],
                    "uid": run["uid"],
                    "task_id": task,
                    "state": run["state"],
                    "started_at": self._now,
                    "exit_code": 1,
                    "log": "a line\n" * 5,
                }

    def _tasks(self) -> Iterator[dict[str, Any]]:
        for number in range(self._amounts.tasks):
            yield {
                "id": f"{number:032}",
                "name": f"task {number}",
                "func": "gitsync.tasks.run_next_queued_sync",
                "started": self._ago(number),
                "stopped": self._ago(number) + timedelta(seconds=2),
                "success": number % 2 == 0,
                "result": "done",
            }

    def _tokens(self, user: Any) -> None:
        apps.get_model("gitsync.ApiToken").objects.create(
            user=user,
            name="deploys",
            digest="0" * 64,
            start="kiok_abc",
            scopes=["read"],
            expires_at=self._now + timedelta(days=30),
        )


def _first(model: type[models.Model]) -> object:
    return model._default_manager.order_by("pk").values_list("pk", flat=True).first()


def keys() -> dict[str, object]:
    """A key of each kind of row that the admin shows, by the model's label; None where there is no row."""
    from django.contrib import admin
    from django.contrib.auth.models import User
    from django.test import RequestFactory

    from gitsync.admin.site import discover_pages

    discover_pages()
    request = RequestFactory().get("/admin/")
    request.user = User(is_superuser=True)
    return {
        model._meta.label: rows.get_queryset(request).order_by("pk").values_list("pk", flat=True).first()
        for model, rows in admin.site._registry.items()
    }


if __name__ == "__main__":
    import django

    django.setup()
    fill(Amounts())
    print(json.dumps(keys(), default=str))
