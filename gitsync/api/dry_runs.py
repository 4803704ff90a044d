"""`POST /repositories/{name}/dry-run` and `/dry-runs`: report what a sync would do."""

from __future__ import annotations

from typing import Any, Literal

from django.http import HttpResponse
from ninja import Router, Status
from pydantic import Field

from gitsync import actions
from gitsync.access import MAY_SYNC
from gitsync.api import operations
from gitsync.api.auth import ApiRequest, BearerToken, Caller
from gitsync.api.operations import OperationToken, Wait
from gitsync.api.problems import ApiRefusal, not_found
from gitsync.api.repositories import VIEW, found, possible
from gitsync.api.schemas import RepositoryName, Sent
from gitsync.api.sync_requests import DEFAULT, Wanted
from gitsync.api.syncs import Changes, FailedFile
from gitsync.models import TokenScope
from gitsync.repositories.operation import (
    WORKER_FAILED,
    Operation,
    OperationKind,
    OperationState,
    worker_hint,
)

router = Router(tags=["dry runs"], by_alias=True)


class UpdatedDag(Sent):
    """A DAG that the sync would update: its spec now, and after the sync."""

    uid: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class DryRunResult(Sent):
    """The changes that a sync would make, and the `state`, `reason` and `message` that the repository would have."""

    state: str
    reason: str
    message: str
    from_commit: str
    to_commit: str
    changes: Changes
    unchanged: int
    files_compiled: int
    files_reused: int
    failed_files: list[FailedFile]
    not_a_dag: list[str] = Field(description="Paths of the files that define no DAG.")
    ignored: list[str] = Field(description="Paths that are left out because of .kiokignore or a limit.")
    not_a_dag_reasons: dict[str, str] = Field(
        description="Why each file in `notADag` defines no DAG, by path."
    )
    ignored_reasons: dict[str, str] = Field(description="Why each entry in `ignored` is left out, by path.")
    seconds: float
    updated: list[UpdatedDag] = Field(
        description="The DAGs that would be updated; empty unless the user may view DAGs."
    )
    left_out: int = Field(description="How many updated DAGs `updated` does not show.")


class DryRun(Sent):
    """A requested dry run: waiting for a worker, done with a result, or failed because of an internal error."""

    id: str
    repository: str
    state: Literal["waiting", "done", "failed"]
    hint: str = Field(description="Why the dry run does not start, if known; or why it failed.")
    result: DryRunResult | None


@router.post(
    "/repositories/{name}/dry-run",
    response={200: DryRun, 202: DryRun},
    auth=BearerToken(TokenScope.SYNC, MAY_SYNC),
    tags=["repositories"],
    summary="Start a dry run",
)
def dry_run_repository(
    request: ApiRequest, response: HttpResponse, name: RepositoryName, body: Wanted = DEFAULT, wait: Wait = 0
) -> Status[DryRun]:
    """Have a worker compute what a sync would do, without writing anything.

    202 with the address of the result, or 200 with the result if it is available within `wait` seconds.
    """
    repository = found(request.auth, name)
    with possible():
        task = actions.ask_for_dry_run(request.auth.user, repository, full=body.full)
    operation = Operation.of_task(OperationKind.DRY_RUN, task, repository.pk)
    return operations.started(request.auth, response, operation, _shown, "dry-run", wait)


@router.get(
    "/dry-runs/{id}",
    response=DryRun,
    auth=BearerToken(TokenScope.READ, VIEW),
    url_name="dry-run",
    summary="Read a dry run",
)
def dry_run(request: ApiRequest, id: OperationToken, wait: Wait = 0) -> DryRun:
    """Return the dry run, immediately or when it is done, at most `wait` seconds later. Available for one day."""
    return operations.read(request.auth, OperationKind.DRY_RUN, id, _shown, wait)


def _shown(caller: Caller, id: str, operation: Operation) -> DryRun:
    repository = operation.visible_repository(caller.user)
    if repository is None:
        raise not_found("dry run")
    state, stored = operation.poll()
    if state is OperationState.LOST:
        raise ApiRefusal(404, "The result of the dry run was not kept. Start another one.")
    if state is OperationState.WAITING:
        return DryRun(id=id, repository=repository.name, state="waiting", hint=worker_hint(), result=None)
    if not stored:
        return DryRun(id=id, repository=repository.name, state="failed", hint=WORKER_FAILED, result=None)
    result = _result(caller, stored)
    return DryRun(id=id, repository=repository.name, state="done", hint="", result=result)


def _result(caller: Caller, stored: dict[str, Any]) -> DryRunResult:
    report = stored["report"]
    shown = stored["updated"] if caller.may("metadata.view_dag") else []
    return DryRunResult(
        state=report["state"],
        reason=report["reason"],
        message=report["message"],
        from_commit=report["from_commit"],
        to_commit=report["to_commit"],
        changes=Changes(**{name: report[name] for name in Changes.model_fields}),
        unchanged=report["unchanged"],
        files_compiled=report["compiled"],
        files_reused=report["reused"],
        failed_files=[FailedFile(**item) for item in report["failed"]],
        not_a_dag=report["not_a_dag"],
        ignored=report["ignored"],
        # Results that a worker of an older version stored lack these keys.
        not_a_dag_reasons=report.get("not_a_dag_reasons", {}),
        ignored_reasons=report.get("ignored_reasons", {}),
        seconds=report["seconds"],
        updated=[UpdatedDag(uid=item["uid"], before=item["before"], after=item["after"]) for item in shown],
        left_out=stored["left_out"] + len(stored["updated"]) - len(shown),
    )
