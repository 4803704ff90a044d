"""A client of the API, and rows for it to find."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.utils import timezone

from gitsync.models import ApiToken, Repository, SourceFile, SyncRun, TokenScope, token_text
from kiok.metadata.models import Dag, DagRun, DagVersion, TaskRun
from kiok.notifications.models import Notification, NotificationChannel, NotificationDelivery

ROOT = "/api/v1"
SECRET_PATH = "hooks/sesame-of-the-webhook"  # of the URL of a channel
EVERY_SCOPE = tuple(TokenScope)
SPEC = {
    "id": "d",
    "name": "d",
    "description": None,
    "schedule": "@daily",
    "catchup": False,
    "defaultTimeoutMs": None,
    "tasks": [
        {"id": "a", "type": "shell", "script": "echo a", "requires": [], "timeoutMs": None, "config": {}},
        {"id": "b", "type": "shell", "script": "echo b", "requires": ["a"], "timeoutMs": 5, "config": {}},
    ],
}


def make_token(
    user: User, *, scopes: Iterable[str] = EVERY_SCOPE, days: float = 1, name: str = ""
) -> tuple[str, ApiToken]:
    """A token's text and row."""
    made = token_text.new()
    row = ApiToken.objects.create(
        user=user,
        name=name or f"token {ApiToken.objects.count()}",
        digest=made.digest,
        start=made.start,
        scopes=[str(scope) for scope in scopes],
        expires_at=timezone.now() + timedelta(days=days),
    )
    return made.text, row


def make_user(name: str, *permissions: str, groups: Iterable[str] = ()) -> User:
    """A user with these permissions (codenames; "*": all but to see all repositories) and groups."""
    user = User.objects.create_user(name, password="x")
    wanted = Permission.objects.exclude(codename="view_all_repositories")
    user.user_permissions.set(
        wanted if "*" in permissions else Permission.objects.filter(codename__in=permissions)
    )
    user.groups.set([Group.objects.get_or_create(name=group)[0] for group in groups])
    return user


class Api:
    """Requests with a token, as a program sends them: no cookie, and with csrf checks."""

    def __init__(self, token: str = "") -> None:
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def __call__(self, method: str, path: str, body: Any = None, /, **query: Any) -> Any:
        client = Client(enforce_csrf_checks=True, raise_request_exception=False)
        sent = {"data": body, "content_type": "application/json"} if body is not None else {}
        return getattr(client, method.lower())(
            path if path.startswith("/") else f"{ROOT}/{path}",
            **sent,
            query_params=query,
            headers=self.headers,
        )

    def get(self, path: str, /, **query: Any) -> Any:
        return self("GET", path, **query)

    def ok(self, path: str, /, **query: Any) -> Any:
        """Return the response to a GET, which must succeed."""
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.content
        return answer.json()


def make_channel(repository: Repository, mark: str = "") -> NotificationChannel:
    """A notification channel of the repository with a delivery; its URL is secret."""
    channel = NotificationChannel.objects.create(
        name=f"channel {mark}", url=f"https://127.0.0.1/{mark}-{SECRET_PATH}", failures=1
    )
    channel.repositories.add(repository)
    notification = Notification.objects.create(
        repository=repository, event="failing", before="in_sync", state="failing", reason="ref_missing", message=mark,
        at=timezone.now(),
    )  # fmt: skip
    NotificationDelivery.objects.create(notification=notification, channel=channel, attempts=2, outcome=mark)
    return channel


def make_everything(name: str, *groups: str, mark: str = "") -> Repository:
    """A repository with at least one row of each kind; `mark` is in all that a person could have written."""
    now = timezone.now()
    row = Repository.objects.create(
        name=name, url=f"https://127.0.0.1/{mark}.git", subpath=f"{mark}", state="degraded", message=mark,
        last_good_commit="1" * 40, last_good_at=now, checked_at=now,
    )  # fmt: skip
    row.groups.set([Group.objects.get_or_create(name=group)[0] for group in groups])
    run = SyncRun.objects.create(
        repository=row, lease_number=1, trigger="api", state="partial", message=mark, started_at=now,
        finished_at=now, changes={"created": [f"{name}/{mark}.yaml"]}, timings={"fetch": 0.5}, log=mark,
        commit_author=mark, commit_subject=mark, commit_time=now,
        failed_files=[{"path": f"{mark}.py", "line": 1, "message": mark}],
    )  # fmt: skip
    assert run.pk
    excerpt = {"first": 1, "lines": [mark, "x"]}
    SourceFile.objects.create(
        repository=row, path=f"{mark}.py", kind="python", state="failed", first_failed_at=now, last_failed_at=now,
        diagnostics=[{"message": mark, "line": 1, "excerpt": excerpt, "output": mark}],
    )  # fmt: skip
    SourceFile.objects.create(repository=row, path=f"{mark}.yaml", kind="yaml", state="compiled", dags=1)
    for stale, path in ((False, f"{mark}.yaml"), (True, f"{mark}.py::d")):
        uid = f"{name}/{path}"
        Dag.objects.create(
            uid=uid, dag_id="d", name=mark, description=mark, origin="git", repository=name,
            source_path=path.partition("::")[0], spec=SPEC, spec_hash="0", version=2, commit_sha="1" * 40,
            source=mark, stale_since=now if stale else None, stale_reason=mark if stale else None,
            created_at=now, updated_at=now,
        )  # fmt: skip
        for version in (1, 2):
            DagVersion.objects.create(
                uid=uid, version=version, spec=SPEC, spec_hash="0", source=mark, created_at=now,
                commit_author=mark, commit_subject=mark, commit_time=now,
            )  # fmt: skip
        ran = DagRun.objects.create(uid=uid, version=2, trigger="schedule", state="FAILED", started_at=now)
        TaskRun.objects.create(dag_run=ran, uid=uid, task_id="a", state="FAILED", exit_code=1, log=mark)
    return row
