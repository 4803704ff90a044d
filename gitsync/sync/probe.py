"""Step "probe": decide from one `ls-remote` of the exact ref whether there is anything to sync."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

from compilers.build_cache import COMPILER_VERSION
from gitsync.models import Repository
from gitsync.sync.empty_hold import is_accepted
from gitsync.worker import sandbox
from kiok.cluster.clock import database_now
from kiok.cluster.conf import properties


def configuration_digest(repository: Repository) -> str:
    """Return a digest of everything that decides a sync's outcome besides the commit and the images."""
    config = properties()
    parts = (
        COMPILER_VERSION,
        repository.config_hash,
        config.gitsync_max_file_bytes,
        config.gitsync_max_files,
        config.gitsync_max_tree_bytes,
        config.gitsync_max_path_bytes,
        config.gitsync_max_dags,
        sandbox.limits_fingerprint(),
    )
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def is_current(
    repository: Repository, commit: str, *, ignore_back_off: bool = False, retries_now: bool = False
) -> bool:
    """Return whether the last outcome is still valid: same commit, configuration and images, and no retry is due.

    An image that is unavailable now counts as unchanged: an unreachable engine must not make good DAGs stale when
    nothing new was pushed. A back-off (`until`) only delays scheduled syncs, unless `ignore_back_off`.
    Failed files wait for their retry time or until their image is available again, unless a person requested the sync
    (`retries_now`).
    A held commit that was accepted must be synced.
    """
    last_outcome = repository.last_outcome
    if last_outcome.get("commit") != commit or last_outcome.get("config") != configuration_digest(repository):
        return False
    if until := last_outcome.get("until"):
        return not ignore_back_off and database_now() < datetime.fromisoformat(until)
    if is_accepted(repository, commit):
        return False
    if (retry_at := last_outcome.get("retry_at")) and (
        retries_now or database_now() >= datetime.fromisoformat(retry_at)
    ):
        return False
    before: dict[str, str] = last_outcome.get("images", {})
    unavailable: list[str] = last_outcome.get("unavailable", [])
    if not before and not unavailable:
        return True
    now = sandbox.image_digests({*before, *unavailable}, repository.images)
    if any(name in now for name in unavailable):
        return False
    return all(now.get(name, digest) == digest for name, digest in before.items())
