"""Jobs and loops of Git Sync for the leader and for every worker process, registered with `kiok.cluster`.

The imports wait until a process leads: commands and pages do not need the git client, the sandbox and retention.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kiok.cluster import leader, periodic
from kiok.cluster.conf import properties
from kiok.cluster.periodic import HOUR, PeriodicJob, Scope

if TYPE_CHECKING:
    from gitsync.queue.dispatch import Dispatcher
    from gitsync.worker.poller import RepositoryPoller

log = logging.getLogger(__name__)


def register() -> None:
    """Register the periodic jobs and the leader's loops."""
    periodic.register(Scope.LEADER, leader_jobs)
    periodic.register(Scope.PROCESS, _process_jobs)
    leader.register(_poller)
    leader.register(_dispatcher)


def leader_jobs() -> Sequence[PeriodicJob]:
    """Return the periodic jobs of the leader; log the invalid declarations once, as they are read at the start."""
    from gitsync.repositories.declaration_state import FollowedDeclaration
    from gitsync.retention import Retention

    for invalid in properties().invalid_repositories:
        log.error("invalid declaration of a repository: %s", invalid)
    return [
        PeriodicJob("following the declared repositories", FollowedDeclaration().follow),
        PeriodicJob("deleting expired rows", Retention().round),
    ]


def _process_jobs() -> Sequence[PeriodicJob]:
    from gitsync.retention import remove_leftover_mirrors
    from gitsync.sync import remote

    return [
        PeriodicJob("removing the leftovers of killed processes", remote.sweep),
        PeriodicJob("removing mirrors of deleted repositories", remove_leftover_mirrors, HOUR),
    ]


def _poller() -> RepositoryPoller | None:
    """Return the poller of the repositories; None while kiok.gitsync.enabled is false."""
    from gitsync import tasks
    from gitsync.worker.poller import RepositoryPoller

    config = properties()
    if not config.gitsync_enabled:
        return None
    warn_of_git()
    return RepositoryPoller(
        lambda repository_id: tasks.hand_to_worker(repository_id),
        config.gitsync_parallelism,
        config.gitsync_host_parallelism,
    )


def _dispatcher() -> Dispatcher:
    from gitsync.queue.dispatch import Dispatcher

    return Dispatcher()


def warn_of_git() -> None:
    """Log a warning if git is not installed, or too old for every safety setting."""
    from gitsync.git.client import MINIMUM_GIT_VERSION
    from gitsync.git.errors import GitError
    from gitsync.sync import remote

    try:
        version = remote.client().git_version()
    except GitError as exc:
        log.error("repositories cannot be synced: %s", exc)  # noqa: TRY400 - the message is complete
        return
    if version < MINIMUM_GIT_VERSION:
        found, needed = (".".join(map(str, numbers)) for numbers in (version, MINIMUM_GIT_VERSION))
        log.warning(
            "git %s is installed; versions below %s lack some safety settings. Install a newer one",
            found,
            needed,
        )
