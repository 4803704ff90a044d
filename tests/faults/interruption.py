"""A sync that a fault ends, and the start time of the next sync by the database's clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from gitsync.models import SyncRun
from kiok.cluster.clock import database_now
from tests.faults.team import Team

BUSY_SECONDS = 60.0


@dataclass(frozen=True)
class Interruption:
    """The sync of a team that was under way at a moment, and the moment."""

    team: Team
    run: int
    at: datetime

    @classmethod
    def of(cls, team: Team, step: str) -> Interruption:
        """Return the team's sync that is in this step. The fault must follow immediately."""
        under_way = team.sync_in(step)
        assert under_way is not None, f"no sync of {team.name} is in {step}"
        return cls(team, under_way.pk, database_now())

    def is_followed(self, *, begun_within_seconds: float, since: datetime | None = None) -> None:
        """Assert that another sync begins within this time of the fault or `since`, and deploys the last push.

        The duration of a sync depends on the machine; only its start is guaranteed. A busy machine is allowed
        `BUSY_SECONDS` more, which is less than the pause before any retry with back-off.
        """
        self.team.deploys()
        follower = SyncRun.objects.filter(repository=self.team.pk, pk__gt=self.run).earliest("pk")
        latest = (since or self.at) + timedelta(seconds=begun_within_seconds + BUSY_SECONDS)
        assert follower.started_at <= latest, (
            f"the sync of {self.team.name} was begun again {follower.started_at - latest} too late"
        )
