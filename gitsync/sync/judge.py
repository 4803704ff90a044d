"""Steps fetch to plan: what a repository's commit means for the metadata store, with nothing written yet."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from compilers.pipeline import Compilation, compile_tree
from gitsync import containers
from gitsync.conf import properties
from gitsync.errors import TooManyDags
from gitsync.models import Repository, SyncRun, Verify
from gitsync.remote import remote_of
from gitsync.sync import apply as store
from gitsync.sync.fetch import fetch_commit, read_tree
from gitsync.sync.known import known_files
from gitsync.sync.plan import Plan, Recorded, make_plan, uid_of
from gitsync.sync.verify import verify_commit

Progress = Callable[[str, str], None]
"""Told (step, detail) as a sync goes on."""


@dataclass(slots=True)
class Walk:
    """Where a sync stands: the step under way, the commit reached, the seconds of each step."""

    run: SyncRun | None
    progress: Progress
    commit: str = ""
    timings: dict[str, float] = field(default_factory=dict)
    _step: str = ""
    _since: float = 0.0

    def enter(self, step: str) -> None:
        now = time.monotonic()
        if self._step:
            self.timings[self._step] = round(now - self._since, 4)
        self._step, self._since = step, now
        if step:
            self.progress(step, "")
            if self.run:
                SyncRun.objects.filter(pk=self.run.pk).update(step=step)
                self.run.step = step


def judge(repository: Repository, walk: Walk, *, full: bool) -> tuple[Plan, Compilation]:
    """Steps fetch, discover, compile and plan: what the commit means, with nothing written yet.

    `full`: no stored result is used again.
    """
    walk.enter("fetch")
    remote = remote_of(repository)
    with remote.mirror.hold():
        walk.commit = fetch_commit(remote)
        if repository.verify != Verify.OFF:
            walk.enter("verify")
            verify_commit(remote, repository, walk.commit)
        walk.enter("discover")
        tree = read_tree(remote, repository, walk.commit)
        recorded = store.recorded_dags(repository.name)
        known = {} if full else known_files(repository, recorded)
        walk.enter("compile")
        compilation = compile_tree(
            tree,
            sandbox=containers.sandbox(),
            subpath=remote.subpath,
            labels=containers.labels(repository.name, walk.run),
            images=repository.images,
            progress=lambda done, total: walk.progress("compile", f"{done}/{total}"),
            known=known,
        )
    walk.enter("plan")
    return _plan(repository, compilation, recorded), compilation


def _plan(repository: Repository, compilation: Compilation, recorded: Sequence[Recorded]) -> Plan:
    limit = properties().gitsync_max_dags
    uids = [
        uid_of(repository.name, file.source.path, spec.id if file.keyed else None)
        for file in compilation.files
        for spec in file.dags
    ]
    reused = {file.source.path for file in compilation.files if file.reused}
    number = len(uids) + sum(item.source_path in reused for item in recorded)
    if number > limit:
        raise TooManyDags(
            f"the commit holds {number} DAGs; at most {limit} are allowed (kiok.gitsync.max.dags). Nothing was changed"
        )
    return make_plan(
        repository.name,
        compilation.files,
        store.with_texts(recorded, reused),
        store.taken_uids(repository.name, uids),
    )
