"""The default owner of a repository, which the DAGs have that name no owner."""

from __future__ import annotations

from gitsync.models import Repository
from kiok.metadata.models import Dag, Origin


def give_owner(repository: Repository) -> int:
    """Give the repository's DAGs that name no owner its default owner; return their number.

    Call it in the transaction that has written the owner: the row is locked then, so a sync that registers DAGs has
    either committed or waits, and reads the new owner.
    """
    dags = Dag.objects.filter(origin=Origin.GIT, repository=repository.name)
    followers = dags.exclude(spec__has_key="owner").exclude(owner=repository.owner)
    return followers.update(owner=repository.owner)
