"""Pool maintainer: removes orphaned containers and keeps the warm pool filled.

It reports the state of the engine in the worker's row (`kiok.cluster.heartbeat`).

Every worker process runs one, because the engine belongs to its machine and a leader elsewhere cannot reach it. They do
not coordinate: the names of containers decide which one was first (`compilers.sandbox.pool`).
"""

from __future__ import annotations

import logging
import threading
import time

from django.db import Error, connections

from compilers.sandbox.base import SandboxUnavailable
from gitsync.worker import sandbox
from kiok.cluster.heartbeat import EngineStatus, Heartbeat
from kiok.cluster.process_id import process_name

# Interval of the rounds: the containers of a killed worker are removed from this machine's engine within ten seconds.
KEEP_SECONDS = 5.0
# Delay after a warm container is claimed: starting another one costs more than the sync that claimed it has left to do.
YIELD_SECONDS = 0.5

log = logging.getLogger(__name__)


class PoolMaintainer(threading.Thread):
    """Pool maintainer thread, which runs for as long as the process."""

    def __init__(self) -> None:
        super().__init__(name="container-keeper", daemon=True)
        self._wake = sandbox.claimed
        self._process = process_name()
        self._heartbeat = Heartbeat(self._process)
        self._complained = ""
        self._stop_asked = False

    def name_of_process(self) -> str:
        """Return the name of this process as in the worker's row."""
        return self._process

    def start(self) -> None:
        self._heartbeat.start()
        super().start()

    def stop(self) -> None:
        """Stop after the current round, without waiting for it, and no longer count as a worker."""
        self._stop_asked = True
        self._wake.set()
        self._heartbeat.stop()

    def run(self) -> None:
        while not self._stop_asked:
            began = time.monotonic()
            self._maintain()
            if self._wake.wait(max(0.0, KEEP_SECONDS - (time.monotonic() - began))):
                self._wake.clear()
                if not self._stop_asked:
                    time.sleep(YIELD_SECONDS)

    def _maintain(self) -> None:
        self._heartbeat.begin_check()
        seen = EngineStatus()
        try:
            sandbox.sweep()
            filled = sandbox.fill_pool(self._process)
            seen = EngineStatus(" ".join(filled.complaints), filled.ready)
            self._complained = ""
        except SandboxUnavailable as exc:
            seen = EngineStatus(str(exc))
            self._complain("no containers can be kept warm", exc)
        except Error as exc:
            self._complain("the warm pool is not maintained while the database does not answer", exc)
        except Exception:  # a fault must not end the thread; the next round tries again
            log.exception("maintaining the warm pool failed")
            seen = EngineStatus("Maintaining the warm pool failed. See the worker's log.")
        finally:
            self._heartbeat.report(seen)
            connections.close_all()

    def _complain(self, what: str, cause: Exception) -> None:
        """Log a problem once, until a round succeeds or the problem changes."""
        if self._complained != what:
            log.warning("%s: %s", what, cause)
        self._complained = what
