"""How the installation is, as the store tells it: leader, workers, their engines, the database, the queue.

For pages. `gitsync.monitoring.readiness` decides whether a process gets requests, `gitsync.monitoring.metrics`
raises alarms.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.models import Subquery

from gitsync.models import DeclarationState
from gitsync.queue.dequeue import queue_lengths
from kiok.cluster import heartbeat
from kiok.cluster.conf import properties
from kiok.cluster.models import LeaderLease, Worker

START_ONE = "Start `manage.py run` or `manage.py qcluster`, or read the log of the one that runs."
DECLARATION_HINT = (
    "The declared repositories are kept as they were. The leader's log and `manage.py doctor` say why."
)
LONG_WAIT_SECONDS = 600.0
"""A sync that waits longer tells of too few workers, or of none that takes any."""
MAX_NAMED = 5
"""Of more hosts, or more different complaints, so many are named."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One line. `good` is None where there is nothing to judge; `word` is a state in a few words, `text` a sentence.

    Plain text, parts of which come from engines and hosts: to be escaped.
    """

    label: str
    good: bool | None
    word: str
    text: str


def facts(*, names_repositories: bool = False) -> tuple[Fact, ...]:
    """Return leader, workers, sandbox, database, queue, in this order. Four queries. Raises DatabaseError.

    A sixth one is about the declared repositories, where the leader does not follow their declaration. It names them only
    where `names_repositories`: for who may see all of them.
    """
    workers = list(heartbeat.alive().order_by("name"))
    problem = Subquery(DeclarationState.objects.values("problem")[:1])
    lead = LeaderLease.current().values_list("holder", problem).first()
    holder, declaration_problem = lead or ("", None)
    found = (_leader(workers, holder), _workers(workers), _sandbox(workers), _database(), _queue(workers))
    if not declaration_problem:
        return found
    text = f"{declaration_problem}." if names_repositories else DECLARATION_HINT
    return (*found, Fact("Declaration", False, "not followed", text))


def _leader(workers: Sequence[Worker], holder: str) -> Fact:
    label = "Leader"
    if holder and not properties().gitsync_enabled:
        text = f"{heartbeat.in_words(holder)} It looks at no repository: kiok.gitsync.enabled is false."
        return Fact(label, True, "alive", text)
    if holder:
        return Fact(label, True, "alive", heartbeat.in_words(holder))
    if not workers:
        return Fact(label, False, "none", f"No worker is running. {START_ONE}")
    return Fact(label, False, "none", "Workers run, and none of them leads; another does within 7 seconds.")


def _workers(workers: Sequence[Worker]) -> Fact:
    label = "Workers"
    if not workers:
        return Fact(
            label, False, "none", f"None was seen in the last {heartbeat.ALIVE_SECONDS:.0f} s. {START_ONE}"
        )
    hosts = Counter(heartbeat.host_of(worker.name) for worker in workers)
    named = _some([f"{number} on {host}" for host, number in hosts.items()])
    text = f"On {len(hosts)} hosts: {named}." if len(hosts) > 1 else f"On {next(iter(hosts))}."
    return Fact(label, True, f"{len(workers)} alive", text)


def _sandbox(workers: Sequence[Worker]) -> Fact:
    """By host, since the workers of a host have one engine."""
    label = "Sandbox"
    if not workers:
        return Fact(label, None, "unknown", "No worker is alive that could tell of its engine.")
    hosts = {heartbeat.host_of(worker.name) for worker in workers}
    faulty = {heartbeat.host_of(worker.name): worker.engine for worker in workers if worker.engine}
    if not faulty:
        ready = heartbeat.containers_ready(workers)
        return Fact(label, True, "fine", f"Containers that stand ready: {ready}.")
    if len(hosts) == 1:
        return Fact(label, False, "faulty", next(iter(faulty.values())))
    complaints: defaultdict[str, list[str]] = defaultdict(list)
    for host, complaint in faulty.items():
        complaints[complaint].append(host)
    said = [f"{_some(where)}: {complaint}" for complaint, where in complaints.items()]
    return Fact(label, False, f"faulty on {len(faulty)} of {len(hosts)} hosts", _some(said))


def _database() -> Fact:
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
        return Fact(
            label, False, "behind", f"{about}; migrations not applied: {pending}. Run `manage.py migrate`."
        )
    return Fact(label, True, "answers", f"{about}; all migrations are applied.")


@lru_cache(maxsize=1)
def _migrations() -> tuple[tuple[str, frozenset[str]], ...]:
    """Every migration of this version, and those it stands for where it is a squashed one, as `app.name`."""
    loader = MigrationLoader(None)
    return tuple(
        (".".join(key), frozenset(".".join(old) for old in loader.disk_migrations[key].replaces))
        for key in loader.graph.nodes
    )


def _queue(workers: Sequence[Worker]) -> Fact:
    """The syncs that wait, whatever the broker is."""
    found = queue_lengths(worker.name for worker in workers)
    at_work = f"{found.taken} at work."
    if not found.waiting:
        return Fact("Queue", True, "empty", at_work)
    text = f"The oldest has waited for {_duration(found.oldest_seconds)}; {at_work}"
    return Fact("Queue", found.oldest_seconds < LONG_WAIT_SECONDS, f"{found.waiting} waiting", text)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def _some(texts: Sequence[str]) -> str:
    more = len(texts) - MAX_NAMED
    return ", ".join(texts[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
