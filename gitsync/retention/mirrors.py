"""Removal of the mirrors of deleted repositories.

The process that deletes a repository removes the mirror on its own machine; every other machine that has synced the
repository has one too.
"""

from __future__ import annotations

import logging
import re

from gitsync.git.errors import GitError
from gitsync.models import Repository
from gitsync.sync.remote import mirror_of
from kiok.cluster.conf import properties

MOST = 200  # folders that one call removes: a mirror may contain many files

_KEY = re.compile(r"[1-9][0-9]{0,18}")

log = logging.getLogger(__name__)


def remove_leftover_mirrors() -> int:
    """Remove mirrors on this machine whose repository was deleted, some at a time; return how many.

    The folders are listed before the repositories: a mirror is created after its repository, so the mirror of a new
    repository is never mistaken for a leftover. A mirror in use is left for the next call.
    """
    folders = _named_by_key()
    left = folders - set(Repository.objects.values_list("pk", flat=True)) if folders else folders
    removed = 0
    for repository_id in sorted(left)[:MOST]:
        mirror = mirror_of(repository_id)
        try:
            mirror.discard()
            removed += 1
        except (GitError, OSError) as exc:
            log.warning("cannot remove the mirror %s of a deleted repository: %s", mirror.directory, exc)
    if removed:
        log.info("removed %s mirrors of deleted repositories", removed)
    return removed


def _named_by_key() -> set[int]:
    try:
        names = [path.name for path in (properties().base_data_dir / "mirrors").iterdir()]
    except FileNotFoundError:
        return set()
    return {int(name) for name in names if _KEY.fullmatch(name)}
