"""Every operation of the API, from its document, and a call of each for the rows of `api_client.make_everything`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gitsync.api import service
from gitsync.api.auth import BearerToken
from gitsync.models import Repository, SyncRun
from gitsync.repositories.operation import Operation, OperationKind
from kiok.metadata.models import DagRun
from kiok.notifications.models import NotificationChannel
from tests.support.api_client import Api

BODIES: dict[str, Any] = {
    "add_repository": {"name": "new", "url": "https://127.0.0.1/x.git", "groups": ["a"]},
    "change_repository": {"subpath": "elsewhere"},
    "replace_repository": {"name": "{name}", "url": "https://127.0.0.1/y.git", "groups": ["a"]},
    "pause_repository": {"reason": "because"},
    "sync_repository": {},
    "accept_empty": {"commit": "1" * 40},
    "dry_run_repository": {},
}


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(path, method, description) of every operation."""
    for path, methods in service.described()["paths"].items():
        for method, described in methods.items():
            yield path, method.upper(), described


def needs(operation_id: str) -> BearerToken:
    """The scope and permission that an operation requires."""
    for router in service.api._get_bound_routers():
        for view in router.path_operations.values():
            for operation in view.operations:
                if operation.view_func.__name__ == operation_id:
                    (caller,) = operation.auth_callbacks
                    assert isinstance(caller, BearerToken)
                    return caller
    raise AssertionError(operation_id)


def call(
    api: Api, path: str, method: str, described: dict[str, Any], repository: Repository, mark: str
) -> Any:
    """Call the operation for the rows of one repository. Fails for a parameter that it does not know how to fill."""
    kind = OperationKind.DRY_RUN if "dry-runs" in path else OperationKind.SYNC
    token = Operation.of_task(kind, "f" * 32, repository.pk).token()
    ids = {
        "/api/v1/syncs/{id}": lambda: SyncRun.objects.get(repository=repository).pk,
        "/api/v1/runs/{id}": lambda: DagRun.objects.filter(repository=repository.name).latest("pk").pk,
        "/api/v1/sync-requests/{id}": lambda: token,
        "/api/v1/dry-runs/{id}": lambda: token,
        "/api/v1/connections/{id}": lambda: "shared",
        "/api/v1/notification-channels/{id}": lambda: (
            NotificationChannel.objects.get(repositories=repository).pk
        ),
    }
    values: dict[str, Any] = {
        "name": repository.name, "uid": f"{repository.name}/{mark}.yaml", "path": f"{mark}.py", "version": 1,
    }  # fmt: skip
    query: dict[str, Any] = {}
    for parameter in described["parameters"]:
        name = parameter["name"]
        value = ids[path]() if name == "id" else values.get(name)
        if parameter["in"] == "path":
            path = path.replace(f"{{{name}}}", str(value))
        elif parameter["required"]:
            query[name] = value
    body = BODIES.get(described["operationId"])
    if body and "name" in body:
        body = {**body, "name": body["name"].format(name=repository.name)}
    assert (body is not None) == ("requestBody" in described), described["operationId"]
    return api(method, path, body, **query)
