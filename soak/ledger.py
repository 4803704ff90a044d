"""What the store may hold of a repository while others push, edit and sync it; by the reference model.

A sync takes what the ref names at its moment, so it may leave out pushes, and never goes back. Which pushes it took,
nobody tells: the ledger keeps all that may be, and each look at the store leaves those that it agrees with. The store
is wrong when none is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from tests.support.reference.differences import differences
from tests.support.reference.model import Files, Store, synced


@dataclass(frozen=True, slots=True)
class Offer:
    """What a sync finds from some moment on: a commit, and its files in the scope of the configuration."""

    commit: str
    files: Files


@dataclass(frozen=True, slots=True)
class Standing:
    """A state that a repository may be in: what the store holds, and the number of the offer last synced, -1: none."""

    store: Store
    at: int = -1


@dataclass
class Ledger:
    """One repository's offers in order, and where it may stand.

    `pending` is how many offers are newer than the oldest standing that is possible.
    """

    repository: str
    offers: list[Offer] = field(default_factory=list)
    standings: list[Standing] = field(default_factory=lambda: [Standing(Store())])

    def offer(self, commit: str, files: Files) -> None:
        """From now on a sync may find this. Called before it can."""
        self.offers.append(Offer(commit, files))

    @property
    def pending(self) -> int:
        return len(self.offers) - 1 - max(standing.at for standing in self.standings)

    @property
    def is_settled(self) -> bool:
        """Whether the store is what the newest offer makes of it: then nothing is left to be done."""
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
        """Take note of what the store holds. A line for each thing that cannot be, none where all is well."""
        reached: dict[int, Standing] = {}
        for standing in self._reachable(found):
            if standing.store == found:
                reached.setdefault(standing.at, standing)
        if reached:
            self.standings = list(reached.values())
            return []
        return differences(self._nearest(found), found)

    def _reachable(self, found: Store) -> Iterator[Standing]:
        """Every state from where it may stand that `found` does not rule out: history is only ever added to."""
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
        """Of what it might be, that which differs least."""
        return min(
            (standing.store for standing in self._reachable(found)),
            key=lambda store: len(differences(store, found)),
        )


def _as_compiled(files: Files) -> Iterator[Files]:
    """The files as their authors meant them; and, where some are compiled in containers, as a lost container leaves them."""
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
