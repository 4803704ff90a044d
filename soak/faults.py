"""Random faults, injected one at a time into the real processes."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from docker.errors import APIError

from gitsync.worker import sandbox
from kiok.cluster.heartbeat import alive
from kiok.cluster.models import LeaderLease
from soak.service import Service

MAX_FROZEN_SECONDS = 25.0  # longer than the leases of syncs and of the leader, so that some are taken over
MAX_FROZEN = 2  # processes that are frozen at the same time


@dataclass
class Faults:
    """An injector of faults that counts them by kind."""

    service: Service
    chance: random.Random
    made: Counter[str] = field(default_factory=Counter)
    _frozen: dict[int, threading.Timer] = field(default_factory=dict)

    def make_one(self) -> str:
        """Make one fault. Return its kind, or "" if there was no target for it. Raises database errors."""
        kinds: list[tuple[int, str, Callable[[], bool]]] = [
            (6, "worker killed", self._kill_worker),
            (3, "leader killed", self._kill_leader),
            (3, "worker frozen", self._freeze_worker),
            (2, "leader frozen", self._freeze_leader),
            (5, "container killed", self._kill_container),
            (1, "cluster killed", self._kill_cluster),
            (1, "database restarted", lambda: self._restart_database(signal.SIGINT)),
            (1, "database killed", lambda: self._restart_database(signal.SIGQUIT)),
        ]
        for _weight, kind, _make in kinds:
            self.made.setdefault(kind, 0)
        rare = [entry for entry in kinds if not self.made[entry[1]]]
        # Each kind once, then at random by weight.
        chosen = rare or kinds
        _weight, kind, make = self.chance.choices(chosen, [entry[0] for entry in chosen])[0]
        if not make():
            return ""
        self.made[kind] += 1
        return kind

    def thaw(self) -> None:
        """Resume all frozen processes."""
        for pid, timer in self._frozen.items():
            timer.cancel()
            _signal(pid, signal.SIGCONT)
        self._frozen.clear()

    def workers(self) -> list[int]:
        """Return the pids of the workers that are alive according to the store."""
        return [pid for name in alive().values_list("name", flat=True) if (pid := _pid(name)) is not None]

    def _kill_worker(self) -> bool:
        """Kill a worker outside the first cluster.

        The workers of that one live long enough to show growth, except its leader, which `_kill_leader` can kill.
        """
        spared = self.service.clusters()[0]
        return self._to_one_of([pid for pid in self.workers() if _group(pid) != spared], signal.SIGKILL)

    def _kill_leader(self) -> bool:
        return self._to_one_of(self._leader(), signal.SIGKILL)

    def _freeze_worker(self) -> bool:
        return self._freeze(self.workers())

    def _freeze_leader(self) -> bool:
        return self._freeze(self._leader())

    def _kill_container(self) -> bool:
        """Kill a container that is working or, if there is none, a warm one."""
        client = sandbox.sandbox().engine.client()
        found = client.containers(filters={"label": [f"kiok.service={sandbox.service()}"]})
        working = [item for item in found if not item["Names"][0].startswith("/kiok-pool-")]
        if not found:
            return False
        with contextlib.suppress(APIError):  # it has just ended
            client.kill(self.chance.choice(working or found)["Id"])
            return True
        return False

    def _kill_cluster(self) -> bool:
        self.service.kill_cluster(self.chance.choice(self.service.clusters()[1:]))
        return True

    def _restart_database(self, how: signal.Signals) -> bool:
        self.service.restart_database(how)
        return True

    def _freeze(self, pids: list[int]) -> bool:
        self._frozen = {pid: timer for pid, timer in self._frozen.items() if timer.is_alive()}
        pids = [pid for pid in pids if pid not in self._frozen]
        return len(self._frozen) < MAX_FROZEN and self._to_one_of(pids, signal.SIGSTOP)

    def _leader(self) -> list[int]:
        holder = LeaderLease.objects.values_list("holder", flat=True).first() or ""
        pid = _pid(holder)
        return [] if pid is None else [pid]

    def _to_one_of(self, pids: list[int], number: signal.Signals) -> bool:
        if not pids:
            return False
        pid = self.chance.choice(pids)
        if not _signal(pid, number):
            return False
        if number == signal.SIGSTOP:
            # In a thread, since the frozen process may hold a database lock that the soak itself waits for.
            seconds = self.chance.uniform(1.0, MAX_FROZEN_SECONDS)
            self._frozen[pid] = threading.Timer(seconds, _signal, (pid, signal.SIGCONT))
            self._frozen[pid].daemon = True
            self._frozen[pid].start()
        return True


def _pid(name: str) -> int | None:
    """Return the pid in a process's name (kiok.cluster.process_id)."""
    parts = name.split("/")
    return int(parts[2]) if len(parts) > 3 and parts[2].isdecimal() else None


def _group(pid: int) -> int:
    """Return the process group, which is that of the cluster, or 0 if the process has ended."""
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def _signal(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
