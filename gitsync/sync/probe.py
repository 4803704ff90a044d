"""Step "probe": whether the commit that one `ls-remote` of the exact ref names gives anything to do."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

from compilers.base import Kind
from compilers.reuse import COMPILER_VERSION
from gitsync import containers
from gitsync.clock import database_now
from gitsync.conf import properties
from gitsync.models import Repository


def configuration_digest(repository: Repository) -> str:
    """Digest of what decides a sync's outcome besides the commit and the images."""
    config = properties()
    parts = (
        COMPILER_VERSION,
        repository.config_hash,
        config.gitsync_max_file_bytes,
        config.gitsync_max_files,
        config.gitsync_max_tree_bytes,
        config.gitsync_max_path_bytes,
        config.gitsync_max_dags,
        containers.limits_fingerprint(),
    )
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def is_judged(repository: Repository, commit: str, *, insists: bool = False) -> bool:
    """Whether the last judgement stands: same commit, configuration and images, and its time is not over.

    An image that cannot be had now counts as unchanged: an engine that is away must not make good DAGs
    stale when nothing new was pushed. A judgement with a time only puts a sync off: none that somebody `insists` on.
    """
    judgement = repository.judgement
    if judgement.get("commit") != commit or judgement.get("config") != configuration_digest(repository):
        return False
    if until := judgement.get("until"):
        return not insists and database_now() < datetime.fromisoformat(until)
    before: dict[str, str] = judgement.get("images", {})
    if not before:
        return True
    now = containers.image_digests(frozenset(Kind(kind) for kind in before), repository.images)
    return all(now.get(Kind(kind), digest) == digest for kind, digest in before.items())
