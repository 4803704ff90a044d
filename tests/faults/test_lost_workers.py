"""Leaders and workers that are killed or frozen: others take over, and a process that wakes up changes nothing."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

from gitsync.models import SyncRun
from gitsync.sync.lease import LEASE
from kiok.cluster import leader
from kiok.cluster.clock import database_now
from kiok.cluster.models import LeaderLease
from tests.faults.interruption import Interruption
from tests.faults.service import Service
from tests.faults.team import DEPLOY_SECONDS, NewTeam, slow_python
from tests.support.cluster import eventually
from tests.support.reference.authoring import yaml_file

INTERVAL_MS = 10_000
INTERVAL_SECONDS = INTERVAL_MS / 1000


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_lost_leader_is_replaced_in_ten_seconds_without_a_second(
    service: Service, new_team: NewTeam
) -> None:
    team = new_team("led")
    team.push({"a.yaml": yaml_file({"a": "echo 1"})})
    team.deploys()
    first, number = service.leader_once_there_is_one(), LeaderLease.objects.get().number
    renewed = {LeaderLease.objects.get().expires_at}
    eventually(lambda: len(renewed.union({LeaderLease.objects.get().expires_at})) > 1, 3, "the lease renewed")
    assert (service.leader(), LeaderLease.objects.get().number) == (first, number), "the lease wandered"
    assert LeaderLease.LEASE.seconds + leader.CAMPAIGN_SECONDS <= 10
    os.kill(first, signal.SIGKILL)
    eventually(lambda: service.leader() not in (None, first), 10, "another leader")
    team.push({"a.yaml": yaml_file({"a": "echo 2"})})
    team.deploys()


def test_a_frozen_leader_is_replaced_and_does_not_lead_when_it_wakes(
    service: Service, new_team: NewTeam
) -> None:
    team = new_team("led-on")
    was_leader = service.leader_once_there_is_one()
    with frozen(was_leader):
        eventually(lambda: service.leader() not in (None, was_leader), 10, "another leader")
        number = LeaderLease.objects.get().number
        team.push({"a.yaml": yaml_file({"a": "echo 1"})})
        team.deploys()
    time.sleep(2)
    assert service.leader() != was_leader
    assert LeaderLease.objects.get().number == number
    team.push({"a.yaml": yaml_file({"a": "echo 2"})})
    team.deploys()


def test_a_sync_whose_worker_is_killed_is_repeated_within_one_interval(
    service: Service, new_team: NewTeam
) -> None:
    compiled, applied = (new_team(name, interval_ms=INTERVAL_MS) for name in ("in-compile", "in-apply"))
    compiled.push({"p.py": slow_python("p", 6)})
    eventually(lambda: compiled.sync_in("compile") and service.engine.containers(), 20, "it compiles")
    killed = Interruption.of(compiled, "compile")
    os.kill(compiled.holder(), signal.SIGKILL)

    with service.apply_held_up():
        applied.push({"a.yaml": yaml_file({"a": "echo 1"}), "b.yaml": yaml_file({"b": "echo 1"})})
        eventually(lambda: service.holds_up(applied), 20, "it applies")
        killed_later = Interruption.of(applied, "apply")
        os.kill(applied.holder(), signal.SIGKILL)
    applied.serves_as_before_the_last_push()
    for interruption in (killed_later, killed):
        interruption.is_followed(begun_within_seconds=INTERVAL_SECONDS)


def test_a_commit_that_kills_its_workers_is_delayed_and_the_next_deployed(
    service: Service, new_team: NewTeam
) -> None:
    deadly, unharmed = (new_team(name, interval_ms=INTERVAL_MS) for name in ("deadly", "unharmed"))
    for team in (deadly, unharmed):
        team.push({"a.yaml": yaml_file({"a": "echo 1"})})
        team.deploys()
    commit = deadly.push({"a.yaml": yaml_file({"a": "echo 2"}), "p.py": slow_python("p", 6)})
    killed: set[int] = set()

    def dies() -> None:
        """Every process that compiles this commit dies."""
        run = deadly.sync_in("compile")
        if run and run.pk not in killed:
            os.kill(deadly.holder(), signal.SIGKILL)
            killed.add(run.pk)

    def is_put_off() -> bool:
        dies()
        return deadly.row.reason == "worker_died" and len(killed) >= 3

    def is_put_off_again() -> bool:
        dies()
        was_tried = SyncRun.objects.filter(pk__in=killed, started_at__gte=until).exists()
        return was_tried and deadly.row.message.startswith(f"the worker died {len(killed)} times in a row")

    eventually(is_put_off, 3 * DEPLOY_SECONDS, "it is delayed after three worker deaths")
    assert deadly.row.state == "failing"
    deadly.serves_as_before_the_last_push()
    until = deadly.put_off_until()
    unharmed.push({"a.yaml": yaml_file({"a": "echo 2"})})
    eventually(is_put_off_again, 2 * DEPLOY_SECONDS, "it is tried once more")
    unharmed.deploys()
    # One more may have been found to be due at the moment in which it was put off.
    assert len(killed) in (4, 5)
    assert deadly.put_off_until() - database_now() > timedelta(seconds=INTERVAL_SECONDS)

    deadly.serves_as_before_the_last_push()
    assert len(killed) == SyncRun.objects.filter(repository=deadly.pk, to_commit=commit).count()
    deadly.pushed.pop()  # it was never deployed
    deadly.push({"a.yaml": yaml_file({"a": "echo 3"}), "p.py": slow_python("p", 0)})
    deadly.deploys()


def test_a_worker_whose_lease_expired_commits_nothing(service: Service, new_team: NewTeam) -> None:
    compiled, applied = (
        new_team(name, interval_ms=INTERVAL_MS) for name in ("frozen-in-compile", "frozen-in-apply")
    )
    compiled.push({"p.py": slow_python("p", 6), "a.yaml": yaml_file({"a": "echo 1"})})
    eventually(lambda: compiled.sync_in("compile") and service.engine.containers(), 20, "it compiles")
    first, sleeper = Interruption.of(compiled, "compile"), compiled.holder()
    with frozen(sleeper), ExitStack() as until_later:
        with service.apply_held_up():
            applied.push({"a.yaml": yaml_file({"a": "echo 1"})})
            eventually(lambda: service.holds_up(applied), 20, "it applies")
            assert applied.holder() != sleeper
            second = Interruption.of(applied, "apply")
            until_later.enter_context(frozen(applied.holder()))
        for interruption in (first, second):
            interruption.is_followed(begun_within_seconds=LEASE.seconds + INTERVAL_SECONDS)
        # The work of the two frozen processes is outdated once this is deployed.
        compiled.push({"p.py": slow_python("p", 0, "echo 2")})
        applied.push({"b.yaml": yaml_file({"b": "echo 2"})})
        for team in (compiled, applied):
            team.deploys()
    eventually(
        lambda: "lease_lost" in SyncRun.objects.get(pk=first.run).log, 20, "it has seen that it is late"
    )
    time.sleep(1)
    for team in (compiled, applied):
        team.holds_what_was_pushed()
