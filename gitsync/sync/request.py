"""What is asked of a sync."""

from __future__ import annotations

from dataclasses import dataclass

from gitsync.models import Trigger
from gitsync.sync.context import Admit, admit_all


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """What is asked for. `full` recompiles even what has not changed; `dry_run` writes nothing.

    `wait`: where another sync of the repository is under way, wait for it and sync then, instead of leaving
    the request with it.

    `is_repeat`: a worker has begun with it already, and died.

    `admit` is told what is to be compiled, before it is; raising Deferred it has the sync end there, to be tried later.
    """

    trigger: Trigger = Trigger.COMMAND
    requested_by: str = ""
    full: bool = False
    dry_run: bool = False
    wait: bool = False
    is_repeat: bool = False
    admit: Admit = admit_all

    @property
    def retries_now(self) -> bool:
        """Compile also failed files whose retry is not due: a person requested this sync, or all is compiled."""
        return self.full or self.trigger in (Trigger.COMMAND, Trigger.ADMIN, Trigger.API)

    @property
    def insists(self) -> bool:
        """Whether somebody waits for it who may know better than to put it off after workers died at it."""
        return self.trigger != Trigger.SCHEDULE and not self.is_repeat
