"""Step "probe": one `ls-remote` of the exact ref, and whether it gives anything to do.

A look that finds nothing new starts no container and writes one thing: when it looked.
"""

from __future__ import annotations

import hashlib
import json

from django.db import transaction
from django.utils import timezone

from compilers.base import Kind
from compilers.reuse import COMPILER_VERSION
from gitsync import containers
from gitsync.conf import properties
from gitsync.models import Repository
from gitsync.notices.transition import note_transition
from gitsync.sync.schedule import next_due


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


def is_judged(repository: Repository, commit: str) -> bool:
    """Whether the last judgement stands: same commit, configuration and images.

    An image that cannot be had now counts as unchanged: an engine that is away must not make good DAGs
    stale when nothing new was pushed.
    """
    judgement = repository.judgement
    if judgement.get("commit") != commit or judgement.get("config") != configuration_digest(repository):
        return False
    before: dict[str, str] = judgement.get("images", {})
    if not before:
        return True
    now = containers.image_digests(frozenset(Kind(kind) for kind in before), repository.images)
    return all(now.get(Kind(kind), digest) == digest for kind, digest in before.items())


def mark_checked(repository: Repository) -> None:
    """Record the look: the only write of a sync with nothing to do.

    After a time out of reach this also puts back the state that was last judged.
    """
    now = timezone.now()
    changes: dict[str, object] = {
        "checked_at": now,
        "next_due_at": next_due(repository, now),
        "queued_until": None,
    }
    judged = {name: repository.judgement.get(name, "") for name in ("state", "reason", "message")}
    if any(getattr(repository, name) != value for name, value in judged.items()):
        changes.update(judged, consecutive_failures=0)
    with transaction.atomic():
        Repository.objects.filter(pk=repository.pk).update(**changes)
        if "state" in changes:
            # The row is locked by the update, and told of as it is now.
            row = Repository.objects.get(pk=repository.pk)
            note_transition(row, row.last_commit, transient=False)
            row.save(update_fields=["told_state", "untold_looks"])
    for name, value in changes.items():
        setattr(repository, name, value)
