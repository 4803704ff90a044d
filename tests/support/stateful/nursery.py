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

# The child kills itself with SIGKILL at the beginning of a step, or before its nth statement to the database.
_NURSERY = """
import json, os, signal, sys
import django
django.setup()
from django.db import connection
from gitsync.models import Trigger
from gitsync.sync.run import SyncOptions, sync_repository

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def sync(pk, step, statements, trigger):
    request = SyncOptions(Trigger(trigger))
    left = [statements]

    def count(execute, *arguments):
        left[0] -= 1
        if left[0] < 0:
            die()
        return execute(*arguments)

    def progress(name, detail):
        if name == step:
            die()

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

    def sync(self, pk: int, *, step: str = "", statements: int = 0, trigger: str = "command") -> bool:
        """Sync a repository until the step begins, or after so many statements; whether it was killed there.

        A sync that does not get so far ends as any other.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        requested = {"pk": pk, "step": step, "statements": statements, "trigger": trigger}
        self._process.stdin.write(json.dumps(requested) + "\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        assert status in (0, -signal.SIGKILL), f"the sync ended with status {status}"
        return status != 0
