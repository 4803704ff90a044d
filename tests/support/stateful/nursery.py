"""Syncs in processes of their own that are killed at a chosen point: loaded once, forked for each."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from django.db import connection

# The child kills itself with SIGKILL at the beginning of a step, or before its nth statement to the database. With
# `once` it goes on in the step until the condition holds.
_NURSERY = """
import json, os, signal, sys, threading
import django
django.setup()
from django.db import connection
from gitsync.models import Trigger
from gitsync.sync import remote
from gitsync.sync.run import SyncOptions, sync_repository
from gitsync.worker import sandbox
from tests.support.waiting import wait_until

def is_key_in_use():
    return any(remote.client().secrets_root.glob(f"call-*-{os.getpid()}-*/*"))

def is_container_running():
    labels = [f"kiok.service={sandbox.service()}", "kiok.repository=team"]
    return sandbox.sandbox().engine.client().containers(filters={"label": labels, "status": "running"})

CONDITIONS = {"key": is_key_in_use, "container": is_container_running}

def die(once=""):
    if once:
        wait_until(CONDITIONS[once], once)
    os.kill(os.getpid(), signal.SIGKILL)

def sync(pk, step, statements, once, trigger):
    request = SyncOptions(Trigger(trigger))
    left = [statements]

    def count(execute, *arguments):
        left[0] -= 1
        if left[0] < 0:
            die()
        return execute(*arguments)

    def progress(name, detail):
        if name == step and not detail:
            threading.Thread(target=die, args=[once]).start() if once else die()

    if step:
        sync_repository(pk, request, progress)
    else:
        with connection.execute_wrapper(count):
            sync_repository(pk, request)

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        try:
            sync(**json.loads(line))
        except BaseException as exc:
            print(repr(exc), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Nursery:
    """A context manager. Its process has the database of the test."""

    def __enter__(self) -> Nursery:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.support.same_database",
            "TEST_DATABASE_NAME": str(connection.settings_dict["NAME"]),
            "KIOK_LOG_LEVEL": "ERROR",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-c", _NURSERY],
            env=environment,
            cwd=Path(__file__).parents[3],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(600)

    def sync(
        self, pk: int, *, step: str = "", statements: int = 0, once: str = "", trigger: str = "command"
    ) -> bool:
        """Sync a repository in a process that kills itself, and return whether it did.

        It does so when `step` begins, or after so many statements. `once` is what must hold before in that step: a
        "key" is in use, or a "container" of the repository `team` runs. A sync that does not get so far ends as any
        other.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        requested = {"pk": pk, "step": step, "statements": statements, "once": once, "trigger": trigger}
        self._process.stdin.write(json.dumps(requested) + "\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        assert status in (0, -signal.SIGKILL), f"the sync ended with status {status}"
        return status != 0
