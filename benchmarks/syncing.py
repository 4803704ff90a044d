"""The worker process: it reads commands from standard input, one JSON object per line, and answers on standard output.

Syncs use the real `gitsync.sync.run.sync_repository`. Memory is VmHWM of proc(5), the peak of this process alone:
`ru_maxrss` would include that of the process it was forked from.
"""

# ruff: noqa: E402  (models can be imported only once Django is set up)

from __future__ import annotations

import cProfile
import json
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import django

django.setup()

from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection

from gitsync.models import Repository, Trigger
from gitsync.sync.run import SyncOptions, sync_repository
from gitsync.tasks import enqueue_sync
from gitsync.worker import sandbox
from gitsync.worker.pool_maintainer import PoolMaintainer
from kiok.cluster.conf import properties
from kiok.connections.models import Connection

_WRITES = ("INSERT", "UPDATE", "DELETE")


def start_keeper() -> PoolMaintainer:
    """Start the pool maintainer, like a worker process of the service does (`gitsync.tasks`)."""
    keeper = PoolMaintainer()
    keeper.start()
    return keeper


def stop_keeper(keeper: PoolMaintainer) -> None:
    """Stop the pool maintainer and remove the warm containers, which no other process does for this database."""
    keeper.stop()
    keeper.join()
    sandbox.sandbox().pool.clear(sandbox.service())


def migrate() -> dict[str, Any]:
    call_command("migrate", verbosity=0)
    connection.close()
    return {}


def add(name: str, url: str, group: str = "") -> dict[str, Any]:
    repository = Repository.objects.create(name=name, url=url)
    if group:
        repository.groups.add(Group.objects.get_or_create(name=group)[0])
    return {"pk": repository.pk}


def ask(pks: list[int]) -> dict[str, Any]:
    """Queue a sync of each repository, as a webhook does."""
    for pk in pks:
        enqueue_sync(pk, Trigger.WEBHOOK)
    return {}


def hook(pk: int, secret: str) -> dict[str, Any]:
    """Accept webhooks for the repository that are signed with this secret."""
    connection_row = Connection(id="benchmark-hook", type=Connection.Type.SECRET)
    connection_row.set_properties({"secret": secret})
    Repository.objects.filter(pk=pk).update(webhook_secret=connection_row)
    return {}


def memory() -> dict[str, Any]:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return {"bytes": int(line.split()[1]) * 1024}
    raise SystemExit("this kernel does not report peak memory")


def facts() -> dict[str, Any]:
    """Return the settings of the service that a case needs."""
    config = properties()
    return {
        "service": sandbox.service(),
        "parallelism": config.sandbox_parallelism,
        "pool": config.sandbox_pool_size,
        "web_workers": config.web_workers,
    }


class Steps:
    """The seconds, queries and written rows of each step of a sync, from the progress of `sync_repository`."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.queries: Counter[str] = Counter()
        self.rows: Counter[str] = Counter()
        self._step = "start"
        self._since = time.perf_counter()

    def enter(self, step: str, detail: str = "") -> None:
        if detail or step == self._step:
            return  # progress within the step
        now = time.perf_counter()
        self.seconds[self._step] = self.seconds.get(self._step, 0.0) + now - self._since
        self._step, self._since = step, now

    def count(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Mapping[str, Any]
    ) -> Any:
        """Count a query. Used with Django's `connection.execute_wrapper`."""
        result = execute(sql, params, many, context)
        self.queries[self._step] += 1
        if sql.lstrip().startswith(_WRITES):
            self.rows[self._step] += max(0, context["cursor"].rowcount)
        return result


def sync(pk: int, full: bool, profile: str | None) -> dict[str, Any]:
    steps = Steps()
    profiler = cProfile.Profile() if profile else None
    own, children = _cpu(resource.RUSAGE_SELF), _cpu(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    with connection.execute_wrapper(steps.count):
        if profiler:
            profiler.enable()
        report = sync_repository(pk, SyncOptions(Trigger.COMMAND, full=full, wait=True), steps.enter)
        if profiler:
            profiler.disable()
    seconds = time.perf_counter() - began
    steps.enter("end")
    if profiler and profile:
        profiler.dump_stats(profile)
    return {
        "seconds": seconds,
        "cpu_seconds": _cpu(resource.RUSAGE_SELF) - own,
        "children_cpu_seconds": _cpu(resource.RUSAGE_CHILDREN) - children,
        "state": report.state,
        "message": "; ".join([report.message, *(item.message for item in report.failed[:1])]),
        "created": len(report.created),
        "updated": len(report.updated),
        "pruned": len(report.pruned),
        "unchanged": report.unchanged,
        "steps": steps.seconds,
        "queries": steps.queries,
        "written_rows": steps.rows,
    }


def _cpu(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


_COMMANDS: Mapping[str, Callable[..., dict[str, Any]]] = {
    "migrate": migrate,
    "add": add,
    "ask": ask,
    "hook": hook,
    "memory": memory,
    "facts": facts,
    "sync": sync,
}


def main() -> None:
    # Redirect other output to stderr, so that it does not mix with the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    keeper: PoolMaintainer | None = None
    for line in sys.stdin:
        requested = json.loads(line)
        command = requested.pop("do")
        if command != "migrate" and keeper is None:
            keeper = start_keeper()
        answers.write(json.dumps(_COMMANDS[command](**requested)) + "\n")
        answers.flush()
    if keeper:
        stop_keeper(keeper)


if __name__ == "__main__":
    main()
