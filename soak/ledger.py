"""The states that the store may have for a repository during pushes, edits and syncs, by the reference model.

A sync takes the commit that the ref names at that moment, so it may skip pushes, and it never goes back. The ledger does not
know which pushes were synced. It keeps all possible states, and each observation of the store removes those that do not
match. The store is wrong if none is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from tests.support.reference.differences import differences
from tests.support.reference.model import Files, Store, synced


@dataclass(frozen=True, slots=True)
class Offer:
    """The commit that a sync finds from some moment on, with its files in the scope of the configuration."""

    commit: str
    files: Files


@dataclass(frozen=True, slots=True)
class Standing:
    """A possible state of a repository: the content of the store, and the number of the last synced offer (-1: none)."""

    store: Store
    at: int = -1


@dataclass
class Ledger:
    """The offers of one repository in order, and its possible states.

    `pending` is the number of offers that are newer than the newest possible state.
    """

    repository: str
    offers: list[Offer] = field(default_factory=list)
    standings: list[Standing] = field(default_factory=lambda: [Standing(Store())])

    def offer(self, commit: str, files: Files) -> None:
        """Record a commit that a sync may find from now on. Call it before a sync can find it."""
        self.offers.append(Offer(commit, files))

    @property
    def pending(self) -> int:
        return len(self.offers) - 1 - max(standing.at for standing in self.standings)

    @property
    def is_settled(self) -> bool:
        """Return whether the store has the result of the newest offer, so that nothing is left to sync."""
        if not self.offers:
            return True
        newest = self.offers[-1]
        last = len(self.offers) - 1
        return any(
            standing.at == last
            and synced(standing.store, self.repository, newest.commit, newest.files) == standing.store
            for standing in self.standings
        )

    def observe(self, found: Store) -> list[str]:
        """Compare the content of the store with the possible states. Return a line for each difference, or none."""
        reached: dict[int, Standing] = {}
        for standing in self._reachable(found):
            if standing.store == found:
                reached.setdefault(standing.at, standing)
        if reached:
            self.standings = list(reached.values())
            return []
        return differences(self._nearest(found), found)

    def _reachable(self, found: Store) -> Iterator[Standing]:
        """Yield each reachable state that `found` does not rule out. History only ever grows."""
        open_, seen = list(self.standings), set()
        while open_:
            standing = open_.pop()
            key = (standing.at, repr(standing.store))
            if key in seen:
                continue
            seen.add(key)
            yield standing
            for number in range(max(standing.at, 0), len(self.offers)):
                for files in _as_compiled(self.offers[number].files):
                    commit = self.offers[number].commit
                    after = synced(standing.store, self.repository, commit, files)
                    if _is_beginning_of(after, found):
                        open_.append(Standing(after, number))

    def _nearest(self, found: Store) -> Store:
        """Return the possible store content that differs least from `found`."""
        return min(
            (standing.store for standing in self._reachable(found)),
            key=lambda store: len(differences(store, found)),
        )


def _as_compiled(files: Files) -> Iterator[Files]:
    """Yield the files as written and, if some are compiled in containers, as they are after a container is lost."""
    yield files
    if any(path.endswith(".py") for path in files):
        yield {
            path: replace(file, dags={}, fails=True) if path.endswith(".py") else file
            for path, file in files.items()
        }


def _is_beginning_of(store: Store, found: Store) -> bool:
    return all(
        found.history.get(uid, ())[: len(versions)] == versions for uid, versions in store.history.items()
    )
