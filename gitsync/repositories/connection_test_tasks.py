"""Tasks for "Test connection", run by workers: where syncs run, and with the same network.

Tasks may be delivered twice. They take keys and values that a person has seen, no secrets. Each returns
`{"note": str, "refused": bool, "check": RemoteCheck as JSON}`.
"""

from __future__ import annotations

from typing import Any

from django_q.tasks import async_task

from gitsync.models import Repository
from gitsync.repositories.connection_test import HostKeyNotAccepted, RemoteCheck, accept_host_key, check

CHECK = "gitsync.repositories.connection_test_tasks.check_remote"
ACCEPT = "gitsync.repositories.connection_test_tasks.accept"


def enqueue_check(repository_id: int) -> str:
    """Enqueue a connection test. Return the task's id."""
    return _enqueue(CHECK, repository_id)


def enqueue_accept(repository_id: int, fingerprint: str, user_id: int) -> str:
    """Enqueue the acceptance of the host key with that fingerprint, and a test. Return the task's id."""
    return _enqueue(ACCEPT, repository_id, fingerprint, user_id)


def check_remote(repository_id: int) -> dict[str, Any]:
    """Test a repository's connection (task)."""
    repository = Repository.objects.filter(pk=repository_id).first()
    return _result(check(repository)) if repository else _gone()


def accept(repository_id: int, fingerprint: str, user_id: int) -> dict[str, Any]:
    """Accept a first host key for a user, then test the connection (task)."""
    repository = Repository.objects.filter(pk=repository_id).first()
    if repository is None:
        return _gone()
    try:
        accept_host_key(repository, fingerprint, user_id=user_id)
    except HostKeyNotAccepted as error:
        return _result(check(repository), str(error), refused=True)
    note = f"{fingerprint} is now in knownHosts of connection {repository.credential_id!r}."
    return _result(check(repository), note)


def _enqueue(function: str, *arguments: Any) -> str:
    name = f"check {arguments[0]}"
    return str(async_task(function, *arguments, q_options={"group": name, "task_name": name}))


def _result(found: RemoteCheck, note: str = "", *, refused: bool = False) -> dict[str, Any]:
    return {"note": note, "refused": refused, "check": found.to_json()}


def _gone() -> dict[str, Any]:
    return _result(RemoteCheck("gone", "The repository was deleted."))
