"""Tasks that come twice, late or in the wrong order, and two concurrent leaders: each commit is deployed once."""

from __future__ import annotations

import time
from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django_q.brokers import get_broker
from django_q.models import OrmQ

from gitsync import tasks
from gitsync.models import SyncRun, Trigger
from kiok.cluster.models import LeaderLease
from tests.faults.service import Service
from tests.faults.team import NewTeam
from tests.support.cluster import eventually
from tests.support.reference.authoring import yaml_file

ON_REQUEST_MS = 3_600_000


def test_tasks_delivered_twice_or_out_of_order_deploy_each_commit_once(
    service: Service, new_team: NewTeam
) -> None:
    team = new_team("delivered", interval_ms=ON_REQUEST_MS)
    team.push({"a.yaml": yaml_file({"a": "echo 1"})})
    team.deploys()

    # Delivered late, as by a queue that is hours behind; later a second copy of each, as from a queue that lost its state.
    with transaction.atomic():
        for trigger in (Trigger.WEBHOOK, Trigger.ADMIN, Trigger.SCHEDULE):
            tasks.enqueue_sync(team.pk, trigger, full=trigger == Trigger.ADMIN)
        held_back = list(OrmQ.objects.order_by("pk").values_list("payload", flat=True))
        assert len(held_back) >= 3, "there is nothing to deliver twice"
        OrmQ.objects.all().delete()
    for number in (2, 3):
        team.push({"a.yaml": yaml_file({"a": f"echo {number}"})})
        team.ask()
        team.deploys()
    broker = get_broker()
    for payload in [*reversed(held_back), *held_back]:
        broker.enqueue(payload)
    eventually(lambda: not OrmQ.objects.exists(), 30, "all are delivered")
    team.holds_what_was_pushed()
    assert not SyncRun.objects.filter(repository=team.pk).exclude(state="succeeded").exists()


def test_two_concurrent_leaders_deploy_each_commit_once(service: Service, new_team: NewTeam) -> None:
    team = new_team("led-by-two", interval_ms=1000)
    team.push({"a.yaml": yaml_file({"a": "echo 1"})})
    team.deploys()
    for number in range(2, 5):
        before = LeaderLease.objects.get().number
        # Its lease is expired by force while it continues: for a moment there are two leaders.
        LeaderLease.objects.update(expires_at=Now() - timedelta(seconds=1), number=F("number") + 1)
        team.push({"a.yaml": yaml_file({"a": f"echo {number}"})})
        team.deploys()
        eventually(
            lambda last=before: service.leader() and LeaderLease.objects.get().number > last + 1,
            10,
            "one leads",
        )
    time.sleep(2)
    team.holds_what_was_pushed()
