"""The clock of a worker's machine steps an hour forward and back: no poll, lease or task is affected."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.utils import timezone

from gitsync.models import Repository
from kiok.cluster.models import LeaderLease
from tests.faults.team import Team
from tests.support.cluster import eventually, workers
from tests.support.reference.authoring import yaml_file

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = 3600
POLLS = 6


def libfaketime() -> str:
    """The library of Debian's package libfaketime, for programs with threads."""
    return str(next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")))


class Clock:
    """That of the processes with this environment."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.step(0)
        self.environment = {
            "LD_PRELOAD": libfaketime(),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            # A step of the clock does not change these.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def step(self, seconds: int) -> None:
        """It is so much ahead of the right time from now on."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(self._file)


def seconds_ahead(log: Path) -> float:
    """By how much the last line of a log is ahead of the right time."""
    last = re.findall(r"^(\d{4}-\S+Z) ", log.read_text(), re.MULTILINE)[-1]
    written = datetime.strptime(last, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    return (written - datetime.now(UTC)).total_seconds()


def watch(team: Team) -> None:
    """Wait for some polls of the repository, whose interval is a second. Fail if there are more than that allows."""
    seen = {team.row.checked_at}

    def note() -> bool:
        seen.add(team.row.checked_at)
        return len(seen) > POLLS

    seconds = eventually(note, 2 * POLLS, f"{POLLS} polls")
    assert seconds + 2 >= POLLS, f"{POLLS} polls in {seconds:.1f} s, of one a second"


def step_while_leading(clock: Clock, ahead: int, team: Team) -> None:
    """Step the clock and see the leader go on. Fail if each of three steps costs it its lease.

    A busy machine may starve a leader of the processor for longer than a lease, and that at any moment.
    """
    for _ in range(3):
        lead = LeaderLease.objects.values_list("holder", "number").get()
        clock.step(ahead)
        watch(team)
        if LeaderLease.objects.values_list("holder", "number").get() == lead:
            return
        clock.step(0)
        watch(team)
    pytest.fail(f"each of three steps of the clock by {ahead} s cost the leader its lease")


def test_a_stepped_clock_shifts_no_poll_no_lease_and_no_task(tmp_path: Path, transactional_db: None) -> None:
    clock, log = Clock(tmp_path), tmp_path / "log"
    watched = Team("looked-at", tmp_path / "served", interval_ms=1000)
    requested = Team("asked-for", tmp_path / "served", interval_ms=1000 * HOUR)
    for team in (watched, requested):
        team.push({"a.yaml": yaml_file({"a": "echo 0"})})
    properties = {**clock.environment, "KIOK_GITSYNC_INTERVAL_MS": "1000", "KIOK_WORKERS": "2"}
    with workers(properties, log_file=log, settings="tests.faults.slept_settings"):
        for team in (watched, requested):
            team.deploys()
        for number, ahead in enumerate((HOUR, -HOUR), start=1):
            step_while_leading(clock, ahead, watched)
            for team in (watched, requested):
                team.push({"a.yaml": yaml_file({"a": f"echo {number}"})})
            # Requested by a machine whose clock is right.
            requested.ask()
            for team in (watched, requested):
                team.deploys()
            assert abs(seconds_ahead(log) - ahead) < 60, "the clock was not stepped"
            soon = timezone.now().timestamp() + 5
            assert watched.row.next_due_at.timestamp() < soon
    assert not Repository.objects.exclude(lease_holder="").exists()
