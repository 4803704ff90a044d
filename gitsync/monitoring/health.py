"""Health of the installation, read from the database: leader, workers, their engines, the database, the queue.

For pages. `gitsync.monitoring.readiness` decides whether a process gets requests, `gitsync.monitoring.metrics`
raises alarms.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.models import Subquery

from gitsync.models import DeclarationState
from gitsync.queue.dequeue import queue_lengths
from kiok.checks import CheckResult, CheckStatus
from kiok.cluster import heartbeat
from kiok.cluster.conf import properties
from kiok.cluster.models import LeaderLease, Worker

START_ONE = "Start `manage.py run` or `manage.py qcluster`, or read the log of the running process."
DECLARATION_HINT = (
    "The declared repositories are unchanged. For the cause, see the leader's log or `manage.py doctor`."
)
LONG_WAIT_SECONDS = 600.0  # a longer wait means that there are too few workers, or that they take no syncs
MAX_NAMED = 5  # maximum of hosts or different errors that are named


@dataclass(frozen=True, slots=True)
class HealthResult(CheckResult):
    """The health of one part, in one line: `word` is the state in a few words, `detail` a sentence."""

    word: str = field(kw_only=True)


def facts(*, names_repositories: bool = False) -> tuple[HealthResult, ...]:
    """Return the facts about leader, workers, sandbox, database and queue, with four queries. Raise DatabaseError.

    A sixth fact is added if the leader does not apply the declaration of repositories. With `names_repositories`, for users
    who may see all repositories, it contains their names.
    """
    workers = list(heartbeat.alive().order_by("name"))
    problem = Subquery(DeclarationState.objects.values("problem")[:1])
    lead = LeaderLease.current().values_list("holder", problem).first()
    holder, declaration_problem = lead or ("", None)
    found = (_leader(workers, holder), _workers(workers), _sandbox(workers), _database(), _queue(workers))
    if not declaration_problem:
        return found
    text = f"{declaration_problem}." if names_repositories else DECLARATION_HINT
    return (*found, _health("Declaration", False, "Not applied", text))


def _leader(workers: Sequence[Worker], holder: str) -> HealthResult:
    label = "Leader"
    if holder and not properties().gitsync_enabled:
        text = f"{heartbeat.in_words(holder)} It polls no repository: kiok.gitsync.enabled is false."
        return _health(label, True, "Alive", text)
    if holder:
        return _health(label, True, "Alive", heartbeat.in_words(holder))
    if not workers:
        return _health(label, False, "None", f"No worker is running. {START_ONE}")
    return _health(
        label,
        False,
        "None",
        "Workers are running, but none is the leader. A new leader is elected within 7 seconds.",
    )


def _workers(workers: Sequence[Worker]) -> HealthResult:
    label = "Workers"
    if not workers:
        return _health(
            label, False, "None", f"No heartbeat in the last {heartbeat.ALIVE_SECONDS:.0f} s. {START_ONE}"
        )
    hosts = Counter(heartbeat.host_of(worker.name) for worker in workers)
    named = _some([f"{number} on {host}" for host, number in hosts.items()])
    text = f"On {len(hosts)} hosts: {named}." if len(hosts) > 1 else f"On {next(iter(hosts))}."
    return _health(label, True, f"{len(workers)} alive", text)


def _sandbox(workers: Sequence[Worker]) -> HealthResult:
    """Return the state of the engines per host, since the workers of a host share one engine."""
    label = "Sandbox"
    if not workers:
        return _health(label, None, "Unknown", "No worker is alive to report the state of its engine.")
    hosts = {heartbeat.host_of(worker.name) for worker in workers}
    faulty = {heartbeat.host_of(worker.name): worker.engine for worker in workers if worker.engine}
    if not faulty:
        ready = heartbeat.containers_ready(workers)
        return _health(label, True, "Ready", f"Warm containers: {ready}.")
    if len(hosts) == 1:
        return _health(label, False, "Faulty", next(iter(faulty.values())))
    complaints: defaultdict[str, list[str]] = defaultdict(list)
    for host, complaint in faulty.items():
        complaints[complaint].append(host)
    found = [f"{_some(where)}: {complaint}" for complaint, where in complaints.items()]
    return _health(label, False, f"Faulty on {len(faulty)} of {len(hosts)} hosts", _some(found))


def _database() -> HealthResult:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('server_version'), pg_database_size(current_database()),"
            " ARRAY(SELECT app || '.' || name FROM django_migrations)"
        )
        version, size_bytes, names = cursor.fetchone()
    applied = set(names)
    label = "Database"
    about = f"PostgreSQL {version.partition(' ')[0]}, {size_bytes / 2**20:.0f} MiB"
    pending = sum(
        name not in applied and not (replaced and replaced <= applied) for name, replaced in _migrations()
    )
    if pending:
        return _health(
            label,
            False,
            "Needs migration",
            f"{about}; migrations not applied: {pending}. Run `manage.py migrate`.",
        )
    return _health(label, True, "Reachable", f"{about}; all migrations are applied.")


@lru_cache(maxsize=1)
def _migrations() -> tuple[tuple[str, frozenset[str]], ...]:
    """Return every migration of this version as `app.name`, with the migrations that it replaces if it is squashed."""
    loader = MigrationLoader(None)
    return tuple(
        (".".join(key), frozenset(".".join(old) for old in loader.disk_migrations[key].replaces))
        for key in loader.graph.nodes
    )


def _queue(workers: Sequence[Worker]) -> HealthResult:
    """Return the state of the queued syncs, for any broker."""
    found = queue_lengths(worker.name for worker in workers)
    at_work = f"{found.taken} running."
    if not found.waiting:
        return _health("Queue", True, "Empty", at_work)
    text = f"The oldest has been queued for {_duration(found.oldest_seconds)}; {at_work}"
    return _health("Queue", found.oldest_seconds < LONG_WAIT_SECONDS, f"{found.waiting} queued", text)


def _health(name: str, good: bool | None, word: str, detail: str) -> HealthResult:
    """Return the health of a part; `good` is None if it is unknown."""
    status = CheckStatus.UNKNOWN if good is None else CheckStatus.OK if good else CheckStatus.FAIL
    return HealthResult(name, status, detail, word=word)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def _some(texts: Sequence[str]) -> str:
    more = len(texts) - MAX_NAMED
    return ", ".join(texts[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
