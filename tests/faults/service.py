"""The service as in production, on its own database and engine: real workers, real containers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
from django.conf import settings
from django.utils import timezone

from gitsync.models import SyncRun, SyncState
from kiok.cluster.models import LeaderLease
from kiok.cluster.process_id import is_dead
from tests.faults.engine import OwnEngine
from tests.faults.server import Server
from tests.faults.team import Team, pid_of
from tests.support.cluster import eventually, workers

# A killed worker's container is gone after two rounds of the pool maintainers, five seconds apart.
CLEAN_SECONDS = 15.0


@dataclass(frozen=True)
class Service:
    """A cluster of workers that polls every second."""

    server: Server
    engine: OwnEngine
    data_dir: Path

    def leader(self) -> int | None:
        """Return the process of the leader, None while there is none."""
        row = LeaderLease.objects.filter(pk=1).first()
        if row is None or not row.holder or is_dead(row.holder):
            return None
        return pid_of(row.holder) if row.expires_at and row.expires_at > timezone.now() else None

    def leader_once_there_is_one(self) -> int:
        """Wait for a leader, which may lose its lease on a busy machine, and return its process."""
        found: list[int] = []
        eventually(lambda: found.extend(filter(None, [self.leader()])) or found, 10, "a process leads")
        return found[0]

    @contextmanager
    def apply_held_up(self) -> Iterator[None]:
        """Block every apply of a new DAG in the middle of its transaction, where it reads the DAG's history."""
        with self.server.connect() as connection:
            connection.autocommit = False
            connection.execute("LOCK TABLE metadata_dagversion IN ACCESS EXCLUSIVE MODE")
            yield
            with suppress(psycopg.OperationalError):  # the server may have crashed
                connection.rollback()

    def holds_up(self, team: Team) -> bool:
        """Return whether that team's apply waits as described above, together with any other running one."""
        with self.server.connect() as connection:
            waiting = connection.execute(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'metadata_dagversion'::regclass"
            ).fetchone()
        applying = SyncRun.objects.filter(state=SyncState.RUNNING, step="apply").count()
        return team.sync_in("apply") is not None and waiting == (applying,)

    def leftovers(self) -> dict[str, list[str]]:
        """Return what must not exist when nothing runs: containers, git's locks, partial packs, spare mirrors."""
        mirrors = self.data_dir / "mirrors"
        assert mirrors.is_dir(), "there is none, so nothing can be seen to be gone"
        return {
            "containers": self.engine.containers(),
            "locks": [str(path) for path in mirrors.rglob("*.lock")],
            "packs": [str(path) for path in mirrors.rglob("*tmp_*")],
        }

    def becomes_clean(self) -> None:
        eventually(lambda: not any(self.leftovers().values()), CLEAN_SECONDS, "nothing is left behind")


@contextmanager
def running_service(server: Server, engine: OwnEngine, data_dir: Path) -> Iterator[Service]:
    """Four workers, each of which may lead: where two are frozen, neither of their syncs waits for the other."""
    service = Service(server, engine, data_dir)
    with workers(
        {
            "DATABASE_URL": server.url,
            # With another key it would refuse the tasks that this process enqueues.
            "DJANGO_SECRET_KEY": str(settings.SECRET_KEY),
            "DOCKER_HOST": engine.url,
            "KIOK_BASE_DATA_DIR": str(data_dir),
            "KIOK_GITSYNC_INTERVAL_MS": "1000",
            "KIOK_WORKERS": "4",
        },
        log_file=data_dir / "log",
    ):
        eventually(service.leader, 30, "there is a leader")
        yield service
