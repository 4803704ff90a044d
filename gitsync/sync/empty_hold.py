"""Hold on a commit that would prune every DAG of a repository whose `allow_empty` is false.

The hold is stored with the repository (`Repository.empty_hold`): the commit, the configuration under which it was compared
with the stored DAGs, and their number. The acceptance is stored in the hold, so it is valid for exactly that commit and
configuration, and ends with the hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from gitsync.errors import WouldEmpty

if TYPE_CHECKING:
    from gitsync.models import Repository
    from gitsync.sync.plan import Plan

SHORT_COMMIT = 12


@dataclass(frozen=True, slots=True)
class EmptyHold:
    """Held commit. `config` is the repository's `config_hash` at that time, `accepted_by` a user name or ""."""

    commit: str
    config: str
    dags: int
    accepted_by: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> EmptyHold:
        return cls(
            str(value["commit"]), str(value["config"]), int(value["dags"]), str(value.get("accepted_by", ""))
        )


def hold_of(repository: Repository) -> EmptyHold | None:
    """Return the hold that is in force; None if there is none or the configuration has changed since.

    Pausing or disabling the repository counts as such a change; once that is undone, the hold is in force again.
    """
    if not repository.empty_hold:
        return None
    hold = EmptyHold.from_json(repository.empty_hold)
    return hold if hold.config == repository.config_hash else None


def is_accepted(repository: Repository, commit: str) -> bool:
    """Return whether this commit is held and has been accepted."""
    hold = hold_of(repository)
    return bool(hold and hold.commit == commit and hold.accepted_by)


def require_acceptance(repository: Repository, plan: Plan, commit: str, *, is_dry_run: bool = False) -> str:
    """Return the user who accepted that the plan prunes every DAG; "" if no acceptance is needed. Raises WouldEmpty."""
    if repository.allow_empty or not plan.would_empty:
        return ""
    hold = hold_of(repository)
    if hold and hold.commit == commit and hold.accepted_by:
        return hold.accepted_by
    number = len(plan.pruned)
    outcome = (
        "a sync would hold the commit until it is accepted"
        if is_dry_run
        else "the commit is held until it is accepted. Nothing was changed and every DAG keeps serving"
    )
    raise WouldEmpty(
        f"commit {commit[:SHORT_COMMIT]} would prune {every_dag(number)} of the repository, and its allowEmpty is false: "
        f"{outcome}",
        number,
    )


def every_dag(number: int) -> str:
    """Return a text such as `all 3 DAGs`, or `the only DAG`."""
    return "the only DAG" if number == 1 else f"all {number} DAGs"


def hold_after_failure(repository: Repository, commit: str, new: EmptyHold | None) -> dict[str, Any] | None:
    """Return the hold to store after a failure at this commit; `new` is the new hold, if that was the failure."""
    stored = EmptyHold.from_json(repository.empty_hold) if repository.empty_hold else None
    is_same = stored is not None and stored.commit == commit
    if new and stored and is_same and stored.config == new.config:
        # Accepted while the sync was running: the sync requested with the acceptance comes next.
        new = replace(new, accepted_by=stored.accepted_by)
    kept = new or (stored if is_same else None)
    return kept.to_json() if kept else None
