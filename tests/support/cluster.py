"""Real workers (`manage.py qcluster`) on the test's database."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from time import monotonic

from kiok.cluster.process_id import is_dead
from tests.support.processes import ROOT, environment
from tests.support.waiting import PATIENCE_SECONDS, wait_until


@contextlib.contextmanager
def workers(
    properties: Mapping[str, str],
    *,
    log_file: Path | None = None,
    settings: str = "tests.support.same_database",
    host_name: str = "",
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a cluster with these environment variables. It is ended by SIGTERM, and by SIGKILL if that has no effect.

    What it writes to stdout and stderr goes to `log_file`, if that is given. `settings` is a module that has
    the database of the test. With `host_name` the cluster has that host name (unshare(1), --uts; as root).
    """
    elsewhere = (
        ["unshare", "--uts", "sh", "-c", f'hostname {host_name}; exec "$@"', "sh"] if host_name else []
    )
    with log_file.open("w+b") if log_file else tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [*elsewhere, sys.executable, "manage.py", "qcluster"],
            env=environment(settings, **properties),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield process
        except BaseException:
            log.seek(0)
            sys.stderr.write(log.read().decode()[-6000:])
            raise
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes], patience_seconds: float = PATIENCE_SECONDS) -> float:
    """End a cluster; the seconds it took to obey SIGTERM. Raises TimeoutExpired when it did not."""
    began = monotonic()
    try:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=patience_seconds)
        return monotonic() - began
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def eventually(condition: Callable[[], object], seconds: float, what: str | Callable[[], str]) -> float:
    """Wait until the condition holds, and return the seconds it took. Fail the test, saying what, when it never does.

    `seconds` is what an idle machine needs at most, for the reader of the test. A busy one gets `PATIENCE_SECONDS`.
    """
    return wait_until(condition, what, seconds=max(seconds, PATIENCE_SECONDS))


def leader_pid() -> int | None:
    """Return the process id of the leader, None while no process leads."""
    from kiok.cluster.models import LeaderLease  # models need the settings

    row = LeaderLease.current().first()
    return int(row.holder.split("/")[2]) if row and not is_dead(row.holder) else None
