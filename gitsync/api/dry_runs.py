"""`POST /repositories/{name}/dry-run` and `/dry-runs`: what a sync would do."""

from __future__ import annotations

from typing import Any, Literal

from django.http import HttpResponse
from django.urls import reverse
from django_q.models import Task
from ninja import Router, Status
from pydantic import Field

from gitsync import actions, tasks
from gitsync.access import visible_repositories
from gitsync.api import operation_tokens, waiting
from gitsync.api.auth import ApiRequest, BearerToken, Caller
from gitsync.api.operation_tokens import Ticket
from gitsync.api.problems import ApiRefusal, not_found
from gitsync.api.repositories import CHANGE, VIEW, found, possible
from gitsync.api.schemas import RepositoryName, Sent
from gitsync.api.sync_requests import DEFAULT, Wanted
from gitsync.api.syncs import Changes, FailedFile
from gitsync.api.waiting import Wait
from gitsync.models import TokenScope
from gitsync.repositories.requests import worker_hint

router = Router(tags=["dry runs"], by_alias=True)

KIND = "dry-run"


class UpdatedDag(Sent):
    """A DAG that the sync would update: its compiled form as it is served, and as it would be."""

    uid: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class DryRunResult(Sent):
    """What a sync would do. `state`, `reason` and `message` are how the repository would stand."""

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
    not_a_dag: list[str] = Field(description="Files that hold no DAG.")
    ignored: list[str] = Field(description="Files that were left out, by .kiokignore or by a limit.")
    not_a_dag_reasons: dict[str, str] = Field(description="Why each file in `notADag` holds no DAG, by path.")
    ignored_reasons: dict[str, str] = Field(description="Why each entry in `ignored` is left out, by path.")
    seconds: float
    updated: list[UpdatedDag] = Field(
        description="What would become of the updated DAGs, for who may view DAGs."
    )
    left_out: int = Field(description="Updated DAGs beyond those that `updated` shows.")


class DryRun(Sent):
    """A dry run that was asked for: waiting for its worker, done with its result, or failed for a fault of the service."""

    id: str
    repository: str
    state: Literal["waiting", "done", "failed"]
    hint: str = Field(description="What keeps it from beginning, if that is known; or why it failed.")
    result: DryRunResult | None


@router.post(
    "/repositories/{name}/dry-run",
    response={200: DryRun, 202: DryRun},
    auth=BearerToken(TokenScope.SYNC, CHANGE),
    tags=["repositories"],
    summary="Find out what a sync would do",
)
def dry_run_repository(
    request: ApiRequest, response: HttpResponse, name: RepositoryName, body: Wanted = DEFAULT, wait: Wait = 0
) -> Status[DryRun]:
    """Ask a worker what a sync would do; nothing is written. 202 with the address of the result, or 200 with the result."""
    repository = found(request.auth, name)
    with possible():
        task = actions.ask_for_dry_run(request.auth.user, repository, full=body.full)
    id = operation_tokens.write(KIND, {"task": task, "repository": repository.pk})
    response["Location"] = reverse("api-1:dry-run", args=[id])
    seen = _until_done(request.auth, id, wait)
    return Status(202 if seen.state == "waiting" else 200, seen)


@router.get(
    "/dry-runs/{id}",
    response=DryRun,
    auth=BearerToken(TokenScope.READ, VIEW),
    url_name="dry-run",
    summary="Read a dry run",
)
def dry_run(request: ApiRequest, id: Ticket, wait: Wait = 0) -> DryRun:
    """What the sync would do, at once or when it is known. For a day."""
    return _until_done(request.auth, id, wait)


def _until_done(caller: Caller, id: str, seconds: int) -> DryRun:
    ticket = operation_tokens.read(KIND, id)
    return waiting.until(lambda: _look(caller, id, ticket), lambda seen: seen.state != "waiting", seconds)


def _look(caller: Caller, id: str, ticket: dict[str, Any]) -> DryRun:
    repository = visible_repositories(caller.user).filter(pk=ticket["repository"]).first()
    if repository is None:
        raise not_found("dry run")
    gone = operation_tokens.has_left_the_queue(ticket)
    task = Task.objects.filter(pk=ticket["task"], func=tasks.DRY_RUN).first()
    if task is None and gone:
        raise ApiRefusal(404, "The result of the dry run was not kept. Ask for another.")
    found = _result(caller, task.result) if task and task.success and task.result else None
    if task is None:
        state, hint = "waiting", worker_hint()
    else:
        state = "done" if found else "failed"
        hint = "" if found else "The worker failed at it; the service's log has the details."
    return DryRun(id=id, repository=repository.name, state=state, hint=hint, result=found)  # type: ignore[arg-type]


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
        # A result that an older worker stored has none.
        not_a_dag_reasons=report.get("not_a_dag_reasons", {}),
        ignored_reasons=report.get("ignored_reasons", {}),
        seconds=report["seconds"],
        updated=[UpdatedDag(uid=item["uid"], before=item["before"], after=item["after"]) for item in shown],
        left_out=stored["left_out"] + len(stored["updated"]) - len(shown),
    )
