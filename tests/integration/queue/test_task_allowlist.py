"""Workers run only the product's own functions, whatever a queue row or broker message contains."""

from __future__ import annotations

import importlib
import os
import pickle
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone
from django_q.conf import Conf
from django_q.models import OrmQ, Schedule, Task
from django_q.signing import BadSignature, SignedPackage

from gitsync import tasks
from gitsync.models import Repository, Trigger
from gitsync.monitoring import sandbox_check
from gitsync.queue import dispatch, leader_schedule, task_allowlist
from gitsync.repositories import connection_test_tasks
from kiok.metadata.models import Dag
from kiok.notifications import outbox
from tests.integration.conftest import yaml_dag
from tests.support.cluster import eventually, workers
from tests.support.hostile_tasks import MODULE, Bomb, HostileTasks
from tests.support.servers.redis import RedisServer
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE_SECONDS = 150.0  # the scheduler comes by twice a minute


@pytest.fixture
def hostile(tmp_path: Path) -> HostileTasks:
    folder = tmp_path / "hostile"
    folder.mkdir()
    return HostileTasks(folder)


def test_the_list_holds_exactly_the_functions_that_the_product_enqueues() -> None:
    own = {dispatch.TASK, tasks.DRY_RUN, leader_schedule.FUNCTION, outbox.DELIVER, sandbox_check.TASK}
    assert own | {connection_test_tasks.CHECK, connection_test_tasks.ACCEPT} == task_allowlist.FUNCTIONS
    for name in task_allowlist.FUNCTIONS:
        module, _, function = name.rpartition(".")
        assert callable(getattr(importlib.import_module(module), function))


def test_hostile_rows_of_every_table_run_nothing_and_stop_nothing_else(
    work_repo: WorkRepo, repository: Repository, hostile: HostileTasks, tmp_path: Path
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    Schedule.objects.all().delete()
    hostile.add_schedules()
    hostile.add_messages()
    tasks.ensure_schedule()
    tasks.enqueue_sync(repository.pk, Trigger.ADMIN)
    log = tmp_path / "log"
    path = os.pathsep.join([str(hostile.folder), os.environ.get("PYTHONPATH", "")])
    properties = {"KIOK_GITSYNC_ENABLED": "false", "KIOK_WORKERS": "2", "PYTHONPATH": path}

    def lines(start: str) -> list[str]:
        return [line for line in log.read_text().splitlines() if f": {start}" in line]

    with workers(properties, log_file=log):
        eventually(lambda: Dag.objects.filter(uid="team/a.yaml"), PATIENCE_SECONDS, "the sync after them")
        eventually(lambda: not OrmQ.objects.exists(), PATIENCE_SECONDS, "every message is taken")
        count = len(hostile.schedules())
        eventually(lambda: len(lines("refused schedule")) == count, PATIENCE_SECONDS, "every schedule")
        own = Schedule.objects.get(name=leader_schedule.NAME, func=leader_schedule.FUNCTION)
        eventually(
            lambda: Schedule.objects.get(pk=own.pk).next_run > own.next_run, PATIENCE_SECONDS, "the leader's"
        )
        eventually(lambda: not OrmQ.objects.exists(), PATIENCE_SECONDS, "the leader's task")

    assert hostile.left_behind() == []
    refused = lines("refused a task of the task queue")
    named = [
        *("'os.system'", f"'{MODULE}.call'", "option 'hook'", "option 'chain'", "option 'sync'"),
        *("option 'cached'", "args of function", "too long", "lacks id"),
    ]
    for name in named:
        assert any(name in line for line in refused), name
    assert all(" ERROR " in line for line in [*refused, *lines("refused schedule")])
    assert len(lines("refused a pickled value of the task queue")) == 3
    assert "posix.system" in lines("refused a pickled value of the task queue")[0]
    # The refused are on record as failed, under the name of the function.
    assert Task.objects.filter(func="os.system", success=False).exists()
    assert not Task.objects.filter(func="os.system", success=True).exists()
    assert "reincarnated" not in log.read_text(), "a message ended one of the cluster's processes"


def test_hostile_messages_in_redis_run_nothing_and_stop_nothing_else(
    work_repo: WorkRepo,
    repository: Repository,
    hostile: HostileTasks,
    redis_server: RedisServer,
    tmp_path: Path,
) -> None:
    from django_q.brokers import get_broker

    work_repo.publish({"a.yaml": yaml_dag("a")})
    broker = get_broker()
    for message in hostile.messages().values():
        broker.connection.rpush(broker.list_key, message)
    tasks.enqueue_sync(repository.pk, Trigger.ADMIN)
    log = tmp_path / "log"
    path = os.pathsep.join([str(hostile.folder), os.environ.get("PYTHONPATH", "")])
    properties = {
        **{"KIOK_GITSYNC_ENABLED": "false", "KIOK_WORKERS": "2", "PYTHONPATH": path},
        **{"KIOK_BROKER": "redis", "KIOK_REDIS_URL": redis_server.url},
    }
    with workers(properties, log_file=log):
        eventually(lambda: Dag.objects.filter(uid="team/a.yaml"), PATIENCE_SECONDS, "the sync after them")
        eventually(lambda: log.read_text().count("refused a task") >= 11, PATIENCE_SECONDS, "each is refused")
    assert hostile.left_behind() == []
    assert "reincarnated" not in log.read_text()


def test_a_stored_hook_is_neither_imported_nor_called(
    hostile: HostileTasks, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.syspath_prepend(str(hostile.folder))
    now = timezone.now()
    Task.objects.create(id="1", name="n", func="f", hook=f"{MODULE}.call", started=now, stopped=now)
    assert hostile.left_behind() == []
    assert f"refused hook '{MODULE}.call'" in caplog.text


def test_a_pickled_result_that_calls_something_is_shown_as_text(
    hostile: HostileTasks, caplog: pytest.LogCaptureFixture
) -> None:
    """The table of results is not signed: a row that was written past the product is read by the admin."""
    from picklefield.fields import dbsafe_encode

    now = timezone.now()
    Task.objects.create(
        id="1", name="n", func="f", result={"at": now, "counts": (1, 2)}, started=now, stopped=now
    )
    assert Task.objects.get().result == {"at": now, "counts": (1, 2)}
    bomb = dbsafe_encode(Bomb(hostile.touch("result")), copy=False)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE django_q_task SET result = %s, args = %s", [bomb, bomb])
    assert Task.objects.get().result == bomb
    assert hostile.left_behind() == []
    assert "refused a pickled value of the task queue: it names posix.system" in caplog.text


@pytest.mark.parametrize("value", [Bomb("true"), os.system, print, pickle.Unpickler, {"a": [os.getpid]}])
def test_a_signed_package_holds_plain_values_alone(value: object) -> None:
    package = SignedPackage.dumps(value)
    with pytest.raises(BadSignature, match="not allowed"):
        SignedPackage.loads(package)


def test_the_leaders_schedule_is_restored_next_to_a_damaged_row() -> None:
    Schedule.objects.all().delete()
    tasks.ensure_schedule()
    Schedule.objects.update(func="os.system")
    tasks.ensure_schedule()
    assert Schedule.objects.filter(func=leader_schedule.FUNCTION).count() == 1
    leader_schedule.run_due()
    row = Schedule.objects.get(func=leader_schedule.FUNCTION)
    assert row.next_run > timezone.now()
    [message] = OrmQ.objects.filter(key=Conf.CLUSTER_NAME)
    assert message.task["func"] == leader_schedule.FUNCTION
    assert task_allowlist.refusal(message.task) == ""
