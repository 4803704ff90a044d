"""Rows and messages of the queue that name code which is none of the product's.

Each leaves a file behind when it runs: `<folder>/<case>`. A module that is only imported leaves one too.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone
from django_q.conf import Conf
from django_q.models import OrmQ, Schedule
from django_q.signing import SignedPackage
from django_q.signing import signing as django_q_signing

LEAD = "gitsync.tasks.lead"
MODULE = "kiok_hostile_module"


class Bomb:
    """A value that calls `os.system` while it is unpickled."""

    def __init__(self, command: str) -> None:
        self._command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self._command,)


class HostileTasks:
    """The cases, by name; what they leave behind goes to `folder`, which is on the workers' PYTHONPATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.module = folder / f"{MODULE}.py"
        self.module.write_text(
            f"import pathlib\npathlib.Path({str(folder)!r}, 'imported').touch()\n"
            f"def call(*args, **kwargs): pathlib.Path({str(folder)!r}, 'called').touch()\n"
        )

    def touch(self, case: str) -> str:
        """The command that leaves the file of a case behind."""
        return f"touch {self.folder / case}"

    def left_behind(self) -> list[str]:
        """The files that something ran left."""
        return sorted(path.name for path in self.folder.iterdir() if path.suffix != ".py" and path.is_file())

    def schedules(self) -> dict[str, dict[str, Any]]:
        """The fields of rows of django-q2's table of schedules."""
        sync = {"sync": True, "save": False}
        chain = [("os.system", (self.touch("schedule-chain"),))]
        return {
            "schedule-function": {"func": "os.system", "args": f"{self.touch('schedule-function')!r},"},
            "schedule-import": {"func": f"{MODULE}.call"},
            "schedule-of-ours-with-arguments": {
                "func": "gitsync.repositories.connection_test_tasks.accept",
                "args": "1, 'SHA256:x', 1",
            },
            "schedule-hook": {"func": LEAD, "hook": f"{MODULE}.call"},
            "schedule-sync": {
                "func": "os.system",
                "args": f"{self.touch('schedule-sync')!r},",
                "kwargs": f"q_options={sync!r}",
            },
            "schedule-chain": {"func": LEAD, "kwargs": f"q_options={ ({'chain': chain})!r}"},
            "schedule-cluster": {"func": "os.system", "args": "'true',", "cluster": "kiok"},
            "schedule-lead-elsewhere": {"func": LEAD, "cluster": "other"},
            "schedule-broken-arguments": {"func": "os.getpid", "args": "((("},
            "schedule-kwargs-no-mapping": {"func": "os.getpid", "kwargs": "[1]"},
            "schedule-call-in-arguments": {"func": "os.getpid", "args": "__import__('os').getpid()"},
            "schedule-broken-cron": {"func": "os.getpid", "schedule_type": "C", "cron": "every day"},
            "schedule-our-name": {"name": "git sync leader", "func": "os.getpid"},
        }

    def add_schedules(self) -> None:
        """Write the rows, all due before the product's own."""
        past = timezone.now() - timedelta(hours=1)
        rows = [
            Schedule(**{"name": case, "next_run": past, "repeats": -1, **fields})
            for case, fields in self.schedules().items()
        ]
        Schedule.objects.bulk_create(rows)

    def messages(self) -> dict[str, str]:
        """Return tasks that a broker may contain, each signed with the right key unless its name says otherwise."""
        function = {"func": "os.system", "args": (self.touch("message-function"),)}
        cached = {"cached": True, "iter_count": 1, "iter_cached": False}
        lead: dict[str, Any] = {"func": LEAD, "args": ()}
        chain = [("os.system", (self.touch("message-chain"),))]
        packages: Mapping[str, Any] = {
            "message-function": self._task(**function),
            "message-import": self._task(func=f"{MODULE}.call"),
            "message-hook": self._task(**lead, hook=f"{MODULE}.call"),
            "message-chain": self._task(**lead, chain=chain),
            "message-sync": self._task(**lead, sync=True),
            "message-cached": self._task(**lead, **cached),
            "message-callable": self._task(func=os.system, args=(self.touch("message-callable"),)),
            "message-callable-argument": self._task(func=LEAD, args=(os.system,)),
            "message-bomb": self._task(func=LEAD, args=(Bomb(self.touch("message-bomb")),)),
            "message-no-mapping": ["os.system"],
            "message-empty": {},
            "message-incomplete": {"func": LEAD},
            "message-of-wrong-types": self._task(func=LEAD, args="x", kwargs=[1]),
            "message-long-id": {**self._task(**lead), "id": "x" * 500},
            "message-unhashable-function": self._task(func=["os.system"]),
        }
        return {
            **{case: SignedPackage.dumps(package) for case, package in packages.items()},
            "unsigned": pickle.dumps(Bomb(self.touch("unsigned"))).hex(),
            "signed-no-pickle": _signed(b"no pickle"),
            "empty": "",
        }

    def add_messages(self) -> None:
        """Put them into the table of the broker."""
        past = timezone.now() - timedelta(hours=1)
        rows = [OrmQ(key=Conf.CLUSTER_NAME, payload=text, lock=past) for text in self.messages().values()]
        OrmQ.objects.bulk_create(rows)

    @staticmethod
    def _task(**options: Any) -> dict[str, Any]:
        id = os.urandom(16).hex()
        return {"id": id, "name": "x", "started": timezone.now(), "args": (), "kwargs": {}, **options}


def _signed(data: bytes) -> str:
    class Raw:
        def dumps(self, obj: bytes) -> bytes:
            return obj

    return str(django_q_signing.dumps(data, key=Conf.SECRET_KEY, salt=Conf.PREFIX, serializer=Raw))
