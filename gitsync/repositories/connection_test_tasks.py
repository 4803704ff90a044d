""" "Test connection" as workers do it: from where syncs run, with the network that syncs have.

Tasks may be delivered twice, and take keys and what a person has seen, no secrets. Each returns
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
    """Have a worker test the connection. Returns the task's id."""
    return _enqueue(CHECK, repository_id)


def enqueue_accept(repository_id: int, fingerprint: str, user_id: int) -> str:
    """Have a worker accept the host key of that fingerprint, and test. Returns the task's id."""
    return _enqueue(ACCEPT, repository_id, fingerprint, user_id)


def check_remote(repository_id: int) -> dict[str, Any]:
    """Task: test a repository's connection."""
    repository = Repository.objects.filter(pk=repository_id).first()
    return _result(check(repository)) if repository else _gone()


def accept(repository_id: int, fingerprint: str, user_id: int) -> dict[str, Any]:
    """Task: accept a first host key for a user, then test."""
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
    return _result(RemoteCheck("gone", "The repository is no more."))
