"""The probes: conditions for readiness, and the response while the service is not ready."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client
from pytest_django import Settings

from gitsync.monitoring.readiness import NO_LEADER
from kiok.cluster.leader import HeldLeadership, resign, take_lead
from kiok.cluster.models import LeaderLease

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def lead() -> HeldLeadership:
    LeaderLease.objects.all().delete()
    taken = take_lead()
    assert taken is not None
    return taken


def readiness() -> tuple[int, dict[str, Any]]:
    # A probe knows no host name that is allowed.
    answer = Client().get("/readyz", headers={"host": "probe.invalid"})
    assert answer["Cache-Control"] == "no-store"
    return answer.status_code, answer.json()


def test_the_service_is_ready_while_there_is_a_leader(lead: HeldLeadership) -> None:
    checks = {"database": "ok", "migrations": "ok", "leader": "ok"}
    assert readiness() == (200, {"status": "ready", "checks": checks})


def test_without_a_leader_the_service_is_not_ready_and_reports_why() -> None:
    LeaderLease.objects.all().delete()
    checks = {"database": "ok", "migrations": "ok", "leader": NO_LEADER}
    assert readiness() == (503, {"status": "not ready", "checks": checks})


def test_a_leader_that_resigned_is_none(lead: HeldLeadership) -> None:
    resign(lead)
    assert readiness()[0] == 503


def test_a_leader_whose_lease_ran_out_is_none(lead: HeldLeadership) -> None:
    LeaderLease.objects.update(expires_at=Now())
    status, answer = readiness()
    assert (status, answer["checks"]["leader"]) == (503, NO_LEADER)


def test_no_leader_is_needed_while_nothing_is_synced_on_the_interval(settings: Settings) -> None:
    LeaderLease.objects.all().delete()
    settings.KIOK = replace(settings.KIOK, gitsync_enabled=False)
    status, answer = readiness()
    assert (status, answer["checks"]["leader"]) == (200, "not needed")


def test_a_probe_is_only_read(lead: HeldLeadership) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        assert Client().post(path).status_code == 405
        assert Client().head(path, headers={"host": "localhost"}).status_code == 200
