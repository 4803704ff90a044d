"""Rows of every kind for one repository, all of whose texts hold one word, so that a page that tells of it has the word."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.db import connections
from django.db.models import AutoField
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ, Schedule, Task

from gitsync.models import ApiToken, Delivery, Repository, SourceFile, SyncRun
from kiok.connections.models import Connection
from kiok.metadata.models import Dag, DagRun, DagVersion, TaskRun
from kiok.notifications.models import Notification, NotificationChannel, NotificationDelivery


@dataclass(frozen=True, slots=True)
class Rows:
    """`keys` are primary keys by `<app>/<model>` as in the admin's addresses; `commit` occurs nowhere else."""

    word: str
    repository: Repository
    group: Group
    commit: str
    keys: dict[str, Any]

    def tells(self, text: str) -> bool:
        """Return whether a page mentions this repository."""
        return self.word in text.lower() or self.commit[:8] in text


def make_rows(word: str, connection: str, first_key: int) -> Rows:
    """A repository of a group of its own, with everything that can hang on one.

    The connection's id is not its word. Keys are counted from `first_key`, so that they are known when they are seen.
    """
    _count_from(first_key)
    now = timezone.now()
    commit = hashlib.sha1(word.encode(), usedforsecurity=False).hexdigest()
    group = Group.objects.create(name=f"{word} group")
    vault = Connection.objects.create(id=connection)
    row = Repository.objects.create(
        name=word,
        url=f"https://git.example.org/{word}/{word}.git",
        ref=f"{word}-branch",
        subpath=f"{word}-folder",
        credential=vault,
        verify_keys=vault,
        webhook_secret=vault,
        state="failing",
        reason="internal",
        message=f"{word} is broken",
        last_commit=commit,
        last_good_commit=commit,
        last_good_at=now,
        paused_at=now,
        paused_by=f"{word}-person",
        pause_reason=f"{word} is to rest",
    )
    row.groups.add(group)
    row.granted_connections.add(vault)
    vault.usable_by_groups.add(group)
    person = User.objects.create_user(f"{word}-person", is_staff=True)
    uid = f"{word}/{word}.yaml"
    dag_fields: dict[str, Any] = {"dag_id": word, "name": word, "description": word, "origin": "git"}
    spec = {
        "id": word,
        "tasks": [{"id": word, "type": "shell", "script": f"{word} ${{secret.{word}}}", "requires": []}],
    }
    dag = Dag.objects.create(
        **dag_fields,
        uid=uid,
        repository=word,
        source_path=f"{word}.yaml",
        commit_sha=commit,
        spec=spec,
        spec_hash="0",
        version=2,
        source=f"# {word}",
        stale_since=now,
        stale_reason=f"{word} does not compile",
        created_at=now,
        updated_at=now,
    )
    for of in (uid, f"{word}/pruned.yaml"):
        for number in (1, 2):
            version = DagVersion.objects.create(
                uid=of,
                version=number,
                spec=spec,
                spec_hash="0",
                commit_sha=commit,
                source=word,
                created_at=now,
            )
        run = DagRun.objects.create(uid=of, version=2, trigger="manual", state="FAILED", started_at=now)
        TaskRun.objects.create(dag_run=run, uid=of, task_id=word, log=f"{word} says no")
    problem = {"path": f"{word}.yaml", "line": 1, "message": f"{word} is no key"}
    file = SourceFile.objects.create(
        repository=row,
        path=f"{word}.yaml",
        state="failed",
        commit_sha=commit,
        diagnostics=[problem],
        first_failed_at=now,
        last_failed_at=now,
    )
    sync = SyncRun.objects.create(
        repository=row,
        lease_number=1,
        trigger="admin",
        requested_by=f"{word}-person",
        state="partial",
        message=f"{word} failed in part",
        to_commit=commit,
        changes={"created": [uid], "updated": [], "pruned": [], "stale": [uid]},
        failed_files=[problem],
        log=f"+0.1 fetch: {word}",
        started_at=now,
        finished_at=now,
    )
    delivery = Delivery.objects.create(
        repository=row,
        service="github",
        event="push",
        ref=f"refs/heads/{word}",
        delivery_id=word,
        status=202,
        outcome="other_ref",
    )
    channel = NotificationChannel.objects.create(
        name=f"{word} channel",
        url=f"https://hooks.example.org/{word}",
        secret=vault,
        addresses=f"{word}@example.org",
        template=f'{{"text": "{word}"}}',
    )
    channel.groups.add(group)
    channel.repositories.add(row)
    NotificationDelivery.objects.create(
        notification=Notification.objects.create(
            repository=row, event="failing", message=f"{word} is broken", commit=commit, at=now
        ),
        channel=channel,
        outcome=f"500 {word}",
    )
    token = ApiToken.objects.create(
        user=person, name=f"{word} token", digest=commit, start="kiok_", expires_at=now + timedelta(days=1)
    )
    done, failed = (
        Task.objects.create(
            id=f"{word}-{success}",
            name=f"sync {word}",
            func="gitsync.tasks.run_next_queued_sync",
            started=now,
            stopped=now,
            result=f"{word}: in_sync",
            success=success,
        )
        for success in (True, False)
    )
    message = f"Paused: {word} is to rest"
    entry = LogEntry.objects.log_actions(person.pk, [row], CHANGE, change_message=message, single_object=True)
    keys = {
        "gitsync/repository": row.pk,
        "gitsync/syncrun": sync.pk,
        "gitsync/sourcefile": file.pk,
        "gitsync/delivery": delivery.pk,
        "notifications/notificationchannel": channel.pk,
        "gitsync/apitoken": token.pk,
        "metadata/dag": dag.pk,
        "metadata/dagversion": version.pk,  # of the pruned one
        "metadata/dagrun": run.pk,
        "connections/connection": vault.pk,
        "auth/user": person.pk,
        "auth/group": group.pk,
        "django_q/success": done.pk,
        "django_q/failure": failed.pk,
        "django_q/schedule": Schedule.objects.create(name=word, func=word).pk,
        "django_q/ormq": OrmQ.objects.create(key="kiok", payload=word, lock=now).pk,
        "admin/logentry": entry.pk if isinstance(entry, LogEntry) else LogEntry.objects.latest("pk").pk,
    }
    return Rows(word, row, group, commit, keys)


def make_lonely_dag(like: Rows) -> Dag:
    """A DAG of no repository, otherwise like that of the rows."""
    dag = Dag.objects.get(repository=like.word)
    dag.pk, dag.dag_id, dag.name, dag.description, dag.source = ("lonely",) * 5
    dag.spec, dag.origin, dag.repository, dag.source_path, dag.commit_sha = (
        {"id": "lonely"},
        "manual",
        "",
        "",
        "",
    )
    dag.stale_since = dag.stale_reason = None
    dag.save(force_insert=True)
    return dag


def _count_from(first_key: int) -> None:
    with connections["default"].cursor() as cursor:
        for model in apps.get_models():
            if isinstance(model._meta.pk, AutoField):
                table = model._meta.db_table
                cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [table, first_key])


def user_of(*groups: Any) -> User:
    """A user of these groups who may do everything, but does not see all repositories."""
    user = User.objects.create_user("vera", is_staff=True)
    user.user_permissions.set(Permission.objects.exclude(codename="view_all_repositories"))
    user.groups.set(groups)
    return user


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client
