"""Random pushes: the remote, configuration and files of each repository. Its ledger records each change first."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from soak.ledger import Ledger
from tests.support.reference.authoring import (
    failing_python,
    python_file,
    unreadable_yaml,
    yaml_file,
    yaml_without_dag,
)
from tests.support.reference.model import Authored, Files, in_scope
from tests.support.reference.remote import Remote

YAML = ("a.yaml", "b.yml", "dags/c.yaml", "dags/d.yaml", "dags/deep/e.yaml")
PYTHON = "dags/p.py"
KEPT = "dags/kept.yaml"  # always exists, so that its folder does


@dataclass(frozen=True, slots=True)
class Push:
    """A push whose latency is measured. `at` is its time.time()."""

    repository: str
    commit: str
    at: float
    is_hooked: bool


@dataclass
class Author:
    """The author of a repository: its remote, commits and files, and the ledger of its possible states."""

    name: str
    remote: Remote
    chance: random.Random
    has_python: bool
    pk: int = 0
    subpath: str = ""
    is_paused: bool = False
    ledger: Ledger = field(init=False)
    _commits: list[tuple[str, Files]] = field(default_factory=list)
    _number: int = 0

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.name)
        files: dict[str, Authored] = {KEPT: yaml_file({"kept": "echo 0"}), YAML[0]: self._good()}
        if self.has_python:
            files[PYTHON] = python_file({"p": "echo 0"})
        self._commit(files, "")

    @classmethod
    def of(
        cls, name: str, folder: Path, template: Path, chance: random.Random, *, has_python: bool
    ) -> Author:
        return cls(name, Remote(folder / f"{name}.git", template), chance, has_python)

    @property
    def tip(self) -> tuple[str, Files]:
        return self._commits[-1]

    def push(self, *, is_hooked: bool) -> Push:
        """Push a random change, or force-push an earlier commit."""
        commit, files = self.tip
        if len(self._commits) > 2 and self.chance.random() < 0.1:
            back = self.chance.choice(self._commits[-6:-1])
            self._point(*back)
        else:
            self._commit({**files, **self._edits(files)}, commit)
        return Push(self.name, self.tip[0], time.time(), is_hooked)

    def reconfigure(self, subpath: str) -> None:
        """Record that the subpath changes. Call it before the change."""
        self.subpath = subpath
        commit, files = self.tip
        self.ledger.offer(commit, in_scope(files, subpath))

    def _commit(self, files: Mapping[str, Authored | None], parent: str) -> None:
        there = {path: file for path, file in files.items() if file}
        self._number += 1
        self._point(self.remote.commit(there, parent, f"change {self._number}"), there)

    def _point(self, commit: str, files: Files) -> None:
        self._commits.append((commit, files))
        del self._commits[:-8]
        self.ledger.offer(commit, in_scope(files, self.subpath))
        self.remote.point("heads/main", commit)

    def _edits(self, files: Files) -> dict[str, Authored | None]:
        path = self.chance.choice(YAML)
        dice = self.chance.random()
        if self.has_python and dice < 0.3:
            return {PYTHON: failing_python() if dice < 0.05 else python_file({"p": self._script()})}
        if dice < 0.45:
            return {path: unreadable_yaml(self._script())}
        if dice < 0.5:
            return {path: yaml_without_dag()}
        if dice < 0.6:
            return {path: None, KEPT: yaml_file({"kept": self._script()})}
        if dice < 0.65 and path in files:
            return {path: None, self.chance.choice(YAML): files[path]}  # renamed
        if dice < 0.7:
            return {each: self._good() for each in YAML}
        return {path: self._good()}

    def _good(self) -> Authored:
        ids = self.chance.sample(("x", "y", "z"), self.chance.choice((1, 1, 2)))
        broken = ids[-1:] if len(ids) > 1 and self.chance.random() < 0.3 else ()
        return yaml_file({dag_id: self._script() for dag_id in ids}, broken=broken)

    def _script(self) -> str:
        return f"echo {self.chance.randrange(1000)}"
