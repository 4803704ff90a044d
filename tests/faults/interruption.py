"""A sync that a fault ends, and the one that is begun in its place: when, by the clock of the database."""

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
        """The team's sync that is in this step; the fault is to follow at once."""
        under_way = team.sync_in(step)
        assert under_way is not None, f"no sync of {team.name} is in {step}"
        return cls(team, under_way.pk, database_now())

    def is_followed(self, *, begun_within_seconds: float, since: datetime | None = None) -> None:
        """Another sync begins within so long of the fault, or of `since`; the last push is deployed, take it what it may.

        How long a sync takes is for the machine to say; when it begins is what is promised. A busy machine is allowed
        `BUSY_SECONDS` more, which is less than any retry with growing pauses would take to come.
        """
        self.team.deploys()
        follower = SyncRun.objects.filter(repository=self.team.pk, pk__gt=self.run).earliest("pk")
        latest = (since or self.at) + timedelta(seconds=begun_within_seconds + BUSY_SECONDS)
        assert follower.started_at <= latest, (
            f"the sync of {self.team.name} was begun again {follower.started_at - latest} too late"
        )
