"""Operations as tokens and as rows of the queue: read access, expiry, and states."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.core import signing
from django.utils import timezone
from django_q.models import OrmQ, Task

from gitsync import tasks
from gitsync.models import Repository
from gitsync.repositories.operation import MAX_AGE, Operation, OperationKind, OperationState

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = timedelta(minutes=1)


class OldSigner(signing.TimestampSigner):
    """A signer whose clock is `age` behind."""

    age = timedelta(0)

    def timestamp(self) -> str:
        return signing.b62_encode(int(time.time() - self.age.total_seconds()))


def requested(repository: Repository) -> Operation:
    task = tasks.enqueue_dry_run(repository.pk)
    return Operation.of_task(OperationKind.DRY_RUN, task, repository.pk)


def finish(operation: Operation, *, success: bool = True) -> None:
    now = timezone.now()
    Task.objects.create(
        id=operation.task, name="x", func=tasks.DRY_RUN, result={"a": 1}, started=now, stopped=now, success=success
    )  # fmt: skip
    OrmQ.objects.all().delete()


def signed(value: dict[str, Any], age: timedelta) -> str:
    signer = OldSigner(salt="gitsync.api.sync", sep=".")
    signer.age = age
    return signer.sign_object(value)


def test_a_token_is_read_as_its_kind_only_and_unchanged(repository: Repository) -> None:
    operation = Operation.of_sync("0" * 32, repository, None, full=True)
    token = operation.token()
    assert Operation.of_token(OperationKind.SYNC, token) == operation
    assert Operation.of_token(OperationKind.DRY_RUN, token) is None
    assert Operation.of_token(OperationKind.SYNC, token[:-1] + ("a" if token[-1] != "a" else "b")) is None


def test_a_token_of_version_0_1_is_read_for_one_day(repository: Repository) -> None:
    value = {
        "task": "0" * 32, "last_run": 7, "checked_at": "", "busy": True, "repository": repository.pk, "full": False,
        "kind": "sync", "queued": 5, "at": 1_700_000_000,
    }  # fmt: skip
    operation = Operation.of_token(OperationKind.SYNC, signed(value, MAX_AGE - MINUTE))
    assert operation
    assert operation.to_json() == value
    assert Operation.of_token(OperationKind.SYNC, signed(value, MAX_AGE + MINUTE)) is None


def test_an_operation_in_the_queue_waits_until_the_patience_ends(repository: Repository) -> None:
    operation = requested(repository)
    assert operation.poll() == (OperationState.WAITING, None)
    assert operation.poll(MINUTE) == (OperationState.WAITING, None)
    assert operation.poll(-MINUTE) == (OperationState.LOST, None)


def test_an_operation_without_a_row_is_lost_unless_its_result_is_kept(repository: Repository) -> None:
    done, failed, lost = (requested(repository) for _ in range(3))
    finish(done)
    finish(failed, success=False)
    assert done.poll() == (OperationState.DONE, {"a": 1})
    assert failed.poll() == (OperationState.FAILED, None)
    assert lost.poll() == (OperationState.LOST, None)
    assert lost.poll(MINUTE) == (OperationState.WAITING, None)
