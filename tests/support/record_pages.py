"""Rows of syncs, files, DAGs and runs, and the text of their admin pages."""

from __future__ import annotations

import re
from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from gitsync.models import FileState, Repository, SourceFile, SyncRun
from kiok.metadata.models import Dag, DagRun, DagVersion, TaskRun


def client_of(*codenames: str) -> Client:
    """Return a client logged in as `vera`, who may enter the admin and has only these permissions."""
    user = User.objects.create_user("vera", password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def text(browser: Client, address: str, query: dict[str, str] | None = None) -> str:
    answer = browser.get(address, query or {})
    assert answer.status_code == 200, address
    return answer.content.decode()


def words(shown: str) -> str:
    """Return the text of a page without its tags: code is coloured piece by piece."""
    return re.sub(r"<[^>]*>", "", shown)


def make_dag(uid: str, **fields: Any) -> Dag:
    now = timezone.now()
    spec = {"id": "a", "tasks": [{"id": "t", "type": "shell", "requires": [], "timeoutMs": 90_000}]}
    given = {"dag_id": "a", "name": "a", "origin": "git", "spec": spec, "spec_hash": "0", "version": 1}
    return Dag.objects.create(uid=uid, created_at=now, updated_at=now, **{**given, **fields})


def make_rows(numbers: range) -> None:
    """One row of every kind for each number, each of a repository of its own."""
    now = timezone.now()
    for number in numbers:
        uid = f"r{number}/a.yaml"
        row = Repository.objects.create(name=f"r{number}", url="https://example.org/x.git")
        make_dag(uid, repository=row.name, source_path="a.yaml", stale_since=now, stale_reason="broken")
        DagVersion.objects.create(uid=uid, version=1, spec={}, spec_hash="0", created_at=now)
        run = DagRun.objects.create(uid=uid, version=1, trigger="manual", state="FAILED", started_at=now)
        TaskRun.objects.create(dag_run=run, uid=uid, task_id="t")
        SyncRun.objects.create(
            repository=row,
            lease_number=1,
            trigger="admin",
            state="partial",
            started_at=now,
            changes={"created": [uid], "updated": [], "pruned": [], "stale": []},
            failed_files=[{"path": "b.yaml", "line": 1, "message": "m"}],
        )
        SourceFile.objects.create(
            repository=row, path="b.yaml", state=FileState.FAILED, diagnostics=[{"message": "m", "line": 3}]
        )
