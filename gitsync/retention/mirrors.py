"""Mirrors that repositories left behind which are no more.

Whoever removes a repository removes the mirror of its own machine; every other machine that has synced it has one too.
"""

from __future__ import annotations

import logging
import re

from gitsync.git.errors import GitError
from gitsync.models import Repository
from gitsync.sync.remote import mirror_of
from kiok.cluster.conf import properties

MOST = 200
"""Folders that one call removes: a mirror may hold many files."""

_KEY = re.compile(r"[1-9][0-9]{0,18}")

log = logging.getLogger(__name__)


def remove_leftover_mirrors() -> int:
    """Remove the mirrors of this machine whose repository is gone, some at a time; how many that were.

    The folders are listed first: a mirror is made after its repository, so that none of a new one is taken for left
    behind. One that is in use is left for the next time.
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
            log.warning("the mirror %s of a removed repository stays behind: %s", mirror.directory, exc)
    if removed:
        log.info("removed %s mirrors of repositories that are gone", removed)
    return removed


def _named_by_key() -> set[int]:
    try:
        names = [path.name for path in (properties().base_data_dir / "mirrors").iterdir()]
    except FileNotFoundError:
        return set()
    return {int(name) for name in names if _KEY.fullmatch(name)}
