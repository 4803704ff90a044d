"""`POST /repositories/{name}/sync` and `/sync-requests`: request a sync, and read its outcome."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal

from django.http import HttpResponse
from ninja import Body, Router, Status
from pydantic import Field, StringConstraints

from gitsync import actions
from gitsync.access import MAY_SYNC
from gitsync.api import operations, syncs
from gitsync.api.auth import ApiRequest, BearerToken, Caller
from gitsync.api.operations import OperationToken, Wait
from gitsync.api.patterns import COMMIT
from gitsync.api.problems import not_found
from gitsync.api.repositories import CHANGE, VIEW, found, possible
from gitsync.api.schemas import RepositoryName, Sent, Taken, Text
from gitsync.api.syncs import SyncSummary
from gitsync.models import Repository, SyncRun, SyncState, TokenScope, Trigger
from gitsync.repositories.operation import Operation, OperationKind, worker_hint
from gitsync.repositories.queries import counted_syncs
from gitsync.repositories.requests import End, RequestOutcome, is_claimed, outcome_of

router = Router(tags=["syncs"], by_alias=True)

OutcomeName = Literal["synced", "partial", "nothing_new", "failed", "not_looked", "internal", "unknown"]
FORGOTTEN = "The queue no longer has the outcome of this request. See the repository's syncs."
_ENDS: dict[End, OutcomeName] = {
    End.NOTHING_NEW: "nothing_new",
    End.FAILING: "failed",
    End.NOT_LOOKED: "not_looked",
    End.WORKER_FAILED: "internal",
}
_BY_STATE: dict[SyncState, OutcomeName] = {SyncState.SUCCEEDED: "synced", SyncState.PARTIAL: "partial"}


class Wanted(Taken):
    """Options of a sync."""

    full: bool = Field(False, description="Compile all files, including unchanged ones.")


class Accepted(Taken):
    """The commit to accept: `held.commit` of the repository."""

    commit: Annotated[Text, StringConstraints(pattern=COMMIT)] = Field(
        description="The full commit id, of 40 or 64 hexadecimal digits.",
        examples=["4b825dc642cb6eb9a060e54bf8d69288fbee4904"],
    )


# The body is optional.
DEFAULT: Any = Body(Wanted(full=False))  # type: ignore[type-arg]  # a type to mypy, a function to Python


class SyncResult(Sent):
    """The result of a sync request."""

    ok: bool = Field(description="The repository is in sync and no file failed.")
    outcome: OutcomeName = Field(
        description="synced: synced without failed files; partial: synced, but degraded because files failed; "
        "nothing_new: the commit is the last synced one; failed: `reason` says why; not_looked: the repository was "
        "disabled or paused before the sync; internal: internal error; unknown: the outcome is no longer stored."
    )
    reason: str
    message: str
    commit: str = Field(description="The commit that is served now.")
    sync: SyncSummary | None = Field(description="The sync, if one ran and the caller may view syncs.")


class SyncRequest(Sent):
    """A requested sync: waiting for a worker, running, or done with a result."""

    id: str
    repository: str
    full: bool
    state: Literal["waiting", "running", "done"]
    hint: str = Field(description="Why the sync does not start, if known.")
    result: SyncResult | None


@router.post(
    "/repositories/{name}/sync",
    response={200: SyncRequest, 202: SyncRequest},
    auth=BearerToken(TokenScope.SYNC, MAY_SYNC),
    tags=["repositories"],
    summary="Sync a repository",
)
def sync_repository(
    request: ApiRequest, response: HttpResponse, name: RepositoryName, body: Wanted = DEFAULT, wait: Wait = 0
) -> Status[SyncRequest]:
    """Request an immediate sync of the repository.

    202 with the address of the request, to poll for its state; 200 with the result if it is available within `wait`
    seconds. A failed sync is a result too: see `result.ok`.
    """
    repository = found(request.auth, name)
    ask = partial(actions.ask_for_sync, full=body.full, trigger=Trigger.API)
    return _asked(request, response, repository, ask, full=body.full, wait=wait)


@router.post(
    "/repositories/{name}/accept-empty",
    response={200: SyncRequest, 202: SyncRequest},
    auth=BearerToken(TokenScope.SYNC, CHANGE),
    tags=["repositories"],
    summary="Accept a commit that prunes every DAG",
)
def accept_empty(
    request: ApiRequest, response: HttpResponse, name: RepositoryName, body: Accepted, wait: Wait = 0
) -> Status[SyncRequest]:
    """Accept the commit that is held for the repository, and request its sync. The response is that of a sync request.

    409 if another commit is held, or none.
    """
    repository = found(request.auth, name)
    ask = partial(actions.accept_empty, commit=body.commit, trigger=Trigger.API)
    return _asked(request, response, repository, ask, full=False, wait=wait)


@router.get(
    "/sync-requests/{id}",
    response=SyncRequest,
    auth=BearerToken(TokenScope.READ, VIEW),
    url_name="sync-request",
    summary="Read a sync request",
)
def sync_request(request: ApiRequest, id: OperationToken, wait: Wait = 0) -> SyncRequest:
    """Return the request, immediately or when it is done, at most `wait` seconds later. Available for one day."""
    return operations.read(request.auth, OperationKind.SYNC, id, _shown, wait)


def _asked(
    request: ApiRequest,
    response: HttpResponse,
    repository: Any,
    ask: Callable[[Any, Repository], str],
    *,
    full: bool,
    wait: int,
) -> Status[SyncRequest]:
    """Enqueue a sync with `ask`, and return the request, with its result if it is available within `wait` seconds."""
    run = SyncRun.objects.filter(repository=repository).order_by("-id").first()
    with possible():
        task = ask(request.auth.user, repository)
    operation = Operation.of_sync(task, repository, run, full=full)
    return operations.started(request.auth, response, operation, _shown, "sync-request", wait)


def _shown(caller: Caller, id: str, operation: Operation) -> SyncRequest:
    # Read the task first: if it is done, all rows that are read after it contain its changes.
    task = operation.stored_task()
    repository = operation.visible_repository(caller.user)
    if repository is None:
        raise not_found("request")
    run = _run(repository, operation)
    outcome = outcome_of(repository, operation, task, run)
    result = _result(caller, repository, outcome, run) if outcome else None
    if result is None and task is None and not is_claimed(repository) and not repository.pending_request:
        is_gone = operation.has_left_the_queue() and not operation.stored_task()
        result = _forgotten(repository) if is_gone else None
    running = bool(run and run.state == SyncState.RUNNING and is_claimed(repository))
    return SyncRequest(
        id=id,
        repository=repository.name,
        full=operation.full,
        state="done" if result else "running" if running else "waiting",
        hint="" if result or running else worker_hint(),
        result=result,
    )


def _run(repository: Repository, operation: Operation) -> Any:
    """Return the first sync after the request (the first full one, if requested), else the newest before it."""
    runs = counted_syncs(SyncRun.objects.select_related("repository").filter(repository=repository))
    later = runs.filter(pk__gt=operation.last_run).order_by("pk")
    first = (later.filter(full=True) if operation.full else later).first()
    return first or runs.filter(pk__lte=operation.last_run).order_by("-pk").first()


def _result(caller: Caller, repository: Repository, outcome: RequestOutcome, run: Any) -> SyncResult:
    if outcome.end is End.SYNC:
        name = _BY_STATE.get(SyncState(run.state), "failed")
        return SyncResult(
            ok=name == "synced",
            outcome=name,
            reason=run.reason,
            message=run.message,
            commit=run.repository.last_good_commit,  # read together with the ended sync
            sync=syncs.summary(run) if caller.may(syncs.VIEW) else None,
        )
    fails = outcome.end is not End.NOTHING_NEW
    return SyncResult(
        ok=not fails and repository.state == "in_sync",
        outcome=_ENDS[outcome.end],
        reason="" if outcome.end in (End.NOT_LOOKED, End.WORKER_FAILED) else repository.reason,
        message=outcome.message,
        commit=repository.last_good_commit,
        sync=None,
    )


def _forgotten(repository: Repository) -> SyncResult:
    return SyncResult(
        ok=False,
        outcome="unknown",
        reason="",
        message=FORGOTTEN,
        commit=repository.last_good_commit,
        sync=None,
    )
