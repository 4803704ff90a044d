"""The rows of a data platform with realistic names: what twenty teams would have, written without a sync.

Ten repositories, 150 DAGs with paths of up to 150 characters, 28 files that fail, two DAGs of 500 tasks, and the syncs,
versions, runs, webhook deliveries, channels, connections, tokens and users that come with them.

`python -m tests.support.platform_rows` writes them into the database of the environment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import product
from typing import Any

from django.apps import apps
from django.utils import timezone

from tests.support.commit_rows import commit_facts
from tests.support.platform_specs import (
    DAGS,
    LARGE_DAG_TASKS,
    LARGE_DAGS,
    PROBLEMS,
    SCHEDULES,
    dag_id_of,
    labels_of,
    paths,
    source_of,
    spec_of,
    task_id_of,
    tasks_of,
    title_of,
)

BROKEN = 28  # files that fail
STALE = 12  # DAGs that are served although their file fails

REPOSITORIES = (
    *("analytics", "billing", "customer-360", "finance-reporting", "fraud-detection"),
    *("logistics", "machine-learning-platform", "marketing", "payments", "warehouse"),
)
_STATES = {
    "failing": ("payments",),
    "degraded": ("billing", "fraud-detection", "warehouse"),
    "never": ("marketing",),
}
_REFUSED = "git ls-remote: Failed to connect to git.example.com port 443: Connection refused"


def fill() -> None:
    """Write the rows. The repositories are due tomorrow, so no worker polls them."""
    _PlatformRows(timezone.now()).write()


class _PlatformRows:
    def __init__(self, now: datetime) -> None:
        self._now = now
        synced = [name for name in REPOSITORIES if name not in _STATES["never"]]
        self._files = [(synced[number % len(synced)], path) for number, path in enumerate(paths())]
        troubled = {*_STATES["failing"], *_STATES["degraded"]}
        places = [number for number, (name, _) in enumerate(self._files) if name in troubled]
        self._broken, self._stale = places[:BROKEN], places[:STALE]

    def write(self) -> None:
        self._store("connections.Connection", self._connections())
        self._store("gitsync.Repository", self._repositories())
        rows = apps.get_model("gitsync.Repository").objects.values_list("name", "pk")
        self._keys: dict[str, int] = dict(rows)
        for label, written in (
            ("gitsync.SourceFile", self._source_files()),
            ("gitsync.SyncRun", self._syncs()),
            ("gitsync.Delivery", self._deliveries()),
            ("metadata.Dag", self._dags()),
            ("metadata.DagVersion", self._versions()),
            ("metadata.DagRun", self._runs()),
            ("notifications.NotificationChannel", self._channels()),
        ):
            self._store(label, written)
        runs = apps.get_model("metadata.DagRun").objects
        for run in runs.all():  # the column is set when a row is added
            run.created_at = run.started_at or self._now
            run.save(update_fields=["created_at"])
        self._store("metadata.TaskRun", self._task_runs())
        self._accounts()

    def _store(self, label: str, rows: Iterator[dict[str, Any]]) -> None:
        model = apps.get_model(label)
        model.objects.bulk_create(model(**row) for row in rows)

    def _ago(self, **span: float) -> datetime:
        return self._now - timedelta(**span)

    def _connections(self) -> Iterator[dict[str, Any]]:
        for name in REPOSITORIES:
            yield {
                "id": f"git-{name}",
                "type": "git",
                "description": f"Deploy key of the team {name}, read-only.",
            }
        description = (
            "Warehouse cluster of the data platform; its user may read every schema and write to `staging`."
        )
        yield {"id": "trino-production-eu-central-1", "type": "trino", "description": description}

    def _repositories(self) -> Iterator[dict[str, Any]]:
        states = {name: state for state, names in _STATES.items() for name in names}
        for number, name in enumerate(REPOSITORIES):
            state = states.get(name, "in_sync")
            never, failing = state == "never", state == "failing"
            paused = name == "logistics"
            yield {
                "name": name,
                "url": f"https://git.example.com/data-platform/teams/{name}.git",
                "ref": "main",
                "subpath": "" if number % 3 else "teams",
                "credential_id": f"git-{name}",
                "state": state,
                "reason": {"failing": "network", "degraded": "files_failed"}.get(state, ""),
                "message": {"failing": _REFUSED, "degraded": "Files fail to compile."}.get(state, ""),
                "last_commit": "" if never else _sha(name),
                "last_good_commit": "" if never else _sha(name),
                "last_good_at": None if never else self._ago(hours=3 * number + 1),
                "checked_at": None if never else self._ago(seconds=20 * number),
                "next_due_at": self._now + timedelta(days=1),
                "consecutive_failures": 14 if failing else 0,
                "paused_at": self._ago(hours=5) if paused else None,
                "paused_by": "grace.hopper" if paused else "",
                "pause_reason": "The index moves to new machines until Monday." if paused else "",
            }

    def _source_files(self) -> Iterator[dict[str, Any]]:
        for number, (name, path) in enumerate(self._files):
            failed = number in self._broken
            problem = {"message": PROBLEMS[number % len(PROBLEMS)], "line": 5 + number, "column": 3}
            yield {
                "repository_id": self._keys[name],
                "path": path,
                "kind": {"py": "python"}.get(path.rpartition(".")[2], path.rpartition(".")[2]),
                "blob_sha": _sha(path),
                "state": "failed" if failed else "compiled",
                "dags": 0 if failed else 1,
                "diagnostics": [problem] * (1 + number % 3) if failed else [],
                "seconds": 0.4,
                "first_failed_at": self._ago(hours=number + 1) if failed else None,
                "last_failed_at": self._ago(minutes=number) if failed else None,
                "commit_sha": _sha(name),
            }

    def _syncs(self) -> Iterator[dict[str, Any]]:
        for number in range(120):
            name = REPOSITORIES[number % len(REPOSITORIES)]
            state = ("succeeded", "partial", "failed", "succeeded", "abandoned", "succeeded")[number % 6]
            begun = self._ago(minutes=17 * (120 - number))
            failed = state == "failed"
            uids = [self._uid(place) for place in range(number % 4)]
            yield {
                "repository_id": self._keys[name],
                "lease_number": number,
                "trigger": ("webhook", "schedule", "admin", "api")[number % 4],
                "requested_by": "grace.hopper@data-platform.example.com" if number % 4 == 2 else "",
                "full": number % 9 == 2,
                "state": state,
                "step": "fetch" if failed else "",
                "reason": {"failed": "network", "partial": "files_failed"}.get(state, ""),
                "message": {"failed": _REFUSED, "partial": "3 files fail to compile."}.get(state, ""),
                "from_commit": _sha(f"{name}{number}"),
                "to_commit": _sha(f"{name}{number + 10}"),
                **commit_facts(number, begun),
                "changes": {"created": uids[:1], "updated": uids[1:], "pruned": [], "stale": uids[:2]},
                "unchanged": 12,
                "compiled": 3,
                "reused": 11,
                "failed_files": [{"path": "a.yaml", "line": 3, "message": PROBLEMS[0]}]
                if number % 6 == 1
                else [],
                "repeats": 13 if failed else 0,
                "log": "0.000 probe: a new commit\n",
                "timings": {"fetch": 0.8, "compile": 2.4, "apply": 0.1},
                "started_at": begun,
                "finished_at": begun + timedelta(seconds=4.2 + 31 * (number % 3)),
            }

    def _deliveries(self) -> Iterator[dict[str, Any]]:
        outcomes = ("queued", "other_ref", "waiting", "ping", "signature", "not_a_push", "payload", "replay")
        for number in range(90):
            outcome = outcomes[number % len(outcomes)]
            yield {
                "repository_id": self._keys[REPOSITORIES[number % len(REPOSITORIES)]],
                "received_at": self._ago(minutes=23 * (90 - number)),
                "service": ("github", "gitlab", "gitea", "bitbucket")[number % 4],
                "event": ("push", "Push Hook", "push", "repo:push")[number % 4],
                "ref": f"refs/heads/feature/PLAT-{1000 + number}-reconcile-bank-statements-by-currency",
                "delivery_id": f"72d3162e-cc78-11e3-81ab-4c9367dc09{number:02}",
                "status": {"signature": 401, "payload": 400}.get(outcome, 202),
                "outcome": outcome,
            }

    def _uid(self, number: int) -> str:
        name, path = self._files[number]
        return f"{name}/{path}" + (f"::{dag_id_of(path)}" if path.endswith((".py", ".jar")) else "")

    def _dags(self) -> Iterator[dict[str, Any]]:
        for number, (name, path) in enumerate(self._files):
            stale = number in self._stale
            yield {
                "uid": self._uid(number),
                "dag_id": dag_id_of(path),
                "name": dag_id_of(path) if number % 5 else title_of(path),
                "description": "Loads, checks and publishes one subject of the data platform.",
                "origin": "git",
                "repository": name,
                "source_path": path,
                "schedule": SCHEDULES[number % len(SCHEDULES)],
                **labels_of(number, usual=stale),
                "spec": spec_of(path, tasks_of(number)),
                "spec_hash": _sha(path) + "0" * 24,
                "version": 1 + number % 7,
                "commit_sha": _sha(name),
                "source": None if path.endswith(".jar") else source_of(path, tasks_of(number)),
                "stale_since": self._ago(hours=number + 1) if stale else None,
                "stale_reason": PROBLEMS[number % len(PROBLEMS)] if stale else None,
                "created_at": self._ago(days=200),
                "updated_at": self._ago(hours=number),
            }

    def _versions(self) -> Iterator[dict[str, Any]]:
        for number, (name, path) in enumerate(self._files):
            for version in range(1, 2 + number % 7):
                yield {
                    "uid": self._uid(number),
                    "version": version,
                    "spec": spec_of(path, 3),
                    "spec_hash": str(version) * 64,
                    "commit_sha": _sha(f"{name}{version}"),
                    **commit_facts(version, self._ago(days=9 * (8 - version), hours=number)),
                    "source": f"version: {version}\n",
                    "created_at": self._ago(days=9 * (8 - version), hours=number),
                }

    def _runs(self) -> Iterator[dict[str, Any]]:
        """Yield three runs of most DAGs. Some DAGs have never run."""
        for age, number in product(range(3), range(0, DAGS)):
            if number % 11 == 10:
                continue
            state = "FAILED" if number % 13 == 7 else "SUCCESS"
            if age == 0:
                newest = {
                    14: "RUNNING",
                    15: "PENDING",
                    16: "CANCELLED",
                    **dict.fromkeys(LARGE_DAGS, "RUNNING"),
                }
                state = newest.get(number, state)
            begun = self._ago(hours=24 * age, minutes=7 * number + 3)
            yield {
                "uid": self._uid(number),
                "version": 1 + number % 7,
                "trigger": "manual" if number % 8 == 3 else "schedule",
                "state": state,
                "started_at": None if state == "PENDING" else begun,
                "finished_at": None
                if state in ("PENDING", "RUNNING")
                else begun + timedelta(seconds=97 * age + 40),
            }

    def _task_runs(self) -> Iterator[dict[str, Any]]:
        """Yield the tasks of the newest run of each large DAG: some failed, some running, some not started yet."""
        for number in LARGE_DAGS:
            uid = self._uid(number)
            run = apps.get_model("metadata.DagRun").objects.filter(uid=uid).latest("created_at")
            for at in range(LARGE_DAG_TASKS):
                state = (
                    "FAILED"
                    if at % 97 == 40
                    else "SUCCESS"
                    if at < 300
                    else "RUNNING"
                    if at < 320
                    else "PENDING"
                )
                begun = None if state == "PENDING" else self._ago(minutes=50, seconds=-5 * at)
                yield {
                    "dag_run_id": run.pk,
                    "uid": uid,
                    "task_id": task_id_of(at),
                    "state": state,
                    "started_at": begun,
                    "finished_at": begun + timedelta(seconds=3 + at % 40)
                    if begun and state != "RUNNING"
                    else None,
                    "exit_code": {"SUCCESS": 0, "FAILED": 7}.get(state),
                    "log": "" if state == "PENDING" else "INFO loaded 12 000 rows\n" * (1 + at % 20),
                }

    def _channels(self) -> Iterator[dict[str, Any]]:
        for number, name in enumerate(REPOSITORIES):
            mail = number % 3 == 1
            yield {
                "name": f"{name}: on call",
                "kind": "email" if mail else "webhook",
                "url": "" if mail else f"https://chat.example.com/hooks/{name}",
                "addresses": f"on-call-{name}@data-platform.example.com\ndata-platform@example.com"
                if mail
                else "",
                "all_repositories": number == 0,
                "enabled": number != 4,
                "failures": 7 if number == 3 else 0,
            }

    def _accounts(self) -> None:
        from django.contrib.auth.models import Group, User

        repositories = apps.get_model("gitsync.Repository").objects
        channels = apps.get_model("notifications.NotificationChannel").objects
        for number, name in enumerate(REPOSITORIES):
            group = Group.objects.create(name=f"{name}: editors")
            repositories.get(name=name).groups.add(group)
            user = User.objects.create(
                username=f"{name}-on-call",
                email=f"on-call-{name}@data-platform.example.com",
                first_name="Grace Brewster",
                last_name="Hopper-Lovelace",
                is_staff=number % 2 == 0,
            )
            user.groups.add(group)
            channels.get(name=f"{name}: on call").groups.add(group)
            apps.get_model("gitsync.ApiToken").objects.create(
                user=user,
                name=f"deployment pipeline of {name} in production",
                digest=_sha(name) + "0" * 24,
                start=f"kiok_{_sha(name)[:4]}",
                scopes=["read", "sync", "write"][: 1 + number % 3],
                expires_at=self._now + timedelta(days=90 * number - 30),
                last_used_at=self._ago(minutes=41 * number) if number % 3 else None,
            )


def _sha(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()


if __name__ == "__main__":
    import django

    django.setup()
    fill()
