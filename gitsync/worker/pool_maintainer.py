"""Keeps the engine of a worker tidy and ready: sweeps up what the dead left, has containers wait for work.

What it sees of the engine, the worker's row tells (`kiok.cluster.heartbeat`).

Every worker process runs one, as the engine is its machine's: a leader elsewhere could not see it. They need no
agreement: the names of containers decide who was first (`compilers.sandbox.pool`).
"""

from __future__ import annotations

import logging
import threading
import time

from django.db import Error, connections

from compilers.base import SandboxUnavailable
from gitsync.worker import sandbox
from kiok.cluster.heartbeat import EngineStatus, Heartbeat
from kiok.cluster.process_id import process_name

KEEP_SECONDS = 5.0
"""How often it looks. With it what a killed worker leaves on this machine's engine is gone within ten seconds."""
YIELD_SECONDS = 0.5
"""A sync that took a container goes first: starting another costs more than that sync has left to do."""

log = logging.getLogger(__name__)


class PoolMaintainer(threading.Thread):
    """Sweeps and fills for as long as the process lives."""

    def __init__(self) -> None:
        super().__init__(name="container-keeper", daemon=True)
        self._wake = sandbox.claimed
        self._process = process_name()
        self._heartbeat = Heartbeat(self._process)
        self._complained = ""
        self._stop_asked = False

    def name_of_process(self) -> str:
        """As the worker's row has it."""
        return self._process

    def start(self) -> None:
        self._heartbeat.start()
        super().start()

    def stop(self) -> None:
        """End after the look under way, and no longer count as a worker; does not wait for the look."""
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
            self._complain("no containers can stand ready", exc)
        except Error as exc:
            self._complain("the containers cannot be kept while the database does not answer", exc)
        except Exception:  # a fault here must not end the keeping; the next round tries again
            log.exception("keeping the containers failed")
            seen = EngineStatus("Keeping the containers failed; the worker's log has the details.")
        finally:
            self._heartbeat.report(seen)
            connections.close_all()

    def _complain(self, what: str, cause: Exception) -> None:
        """Log it, once until a round succeeds or something else is wrong."""
        if self._complained != what:
            log.warning("%s: %s", what, cause)
        self._complained = what
