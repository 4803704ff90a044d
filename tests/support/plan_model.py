"""A model of plans: random commits and stores, and the fate of each DAG by the rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from compilers.result import FileResult, FileStatus
from compilers.source import DiscoveredFile
from gitsync.sync.plan import Plan, Recorded, make_plan, uid_of
from kiok.errors import Diagnostic
from kiok.spec import DagSpec, TaskSpec

PATHS = ("a.yaml", "b.yaml", "dags/c.py")
DAG_IDS = ("x", "y", "z")


def spec(dag_id: str, revision: int) -> DagSpec:
    return DagSpec(dag_id, dag_id, (TaskSpec("t", script=f"echo {revision}"),))


def file(
    path: str,
    dags: Sequence[DagSpec] = (),
    *,
    failed: bool = False,
    keyed: bool = True,
    doubtful: bool = False,
    text: str | None = "text",
    image: str | None = None,
) -> FileResult:
    status = FileStatus.FAILED if failed else FileStatus.COMPILED if dags else FileStatus.NOT_A_DAG
    problems = (Diagnostic("something is wrong", path, 3),) if failed else ()
    doubts = (Diagnostic("something is not understood", path, 4),) if doubtful else ()
    kind = "yaml" if path.endswith(".yaml") else "python"
    return FileResult(
        DiscoveredFile(path, kind, "blob", 1),
        status,
        tuple(dags),
        problems or doubts,
        keyed,
        text,
        image,
        doubts=doubts,
    )


@st.composite
def files(draw: st.DrawFn, path: str) -> FileResult:
    """A result that the compilers may return for one file."""
    ids = draw(st.lists(st.sampled_from(DAG_IDS), unique=True, max_size=3))
    failed = draw(st.booleans())
    is_yaml = path.endswith(".yaml")
    # A YAML file with one document is not keyed; one that fails in part may be keyed with one DAG or none left.
    keyed = not is_yaml or len(ids) > 1 or (failed and draw(st.booleans()))
    doubtful = draw(st.booleans())
    dags = [spec(dag_id, draw(st.integers(0, 1))) for dag_id in ids]
    return file(
        path,
        dags,
        failed=failed,
        keyed=keyed,
        doubtful=doubtful,
        text=draw(st.sampled_from(["one", "two"])),
        image=None if is_yaml else draw(st.sampled_from(["sha256:1", "sha256:2"])),
    )


@st.composite
def commits(draw: st.DrawFn) -> list[FileResult]:
    return [draw(files(path)) for path in draw(st.lists(st.sampled_from(PATHS), unique=True))]


@dataclass(frozen=True)
class Store:
    """The recorded DAGs, and a plan carried out on them as the database does it."""

    dags: tuple[Recorded, ...] = ()

    def apply(self, plan: Plan) -> Store:
        dags = {dag.uid: dag for dag in self.dags}
        for found in plan.created:
            assert found.uid not in dags
        for found, before in (*plan.updated, *plan.refreshed):
            assert dags[found.uid] == before
        for found in (*plan.created, *(found for found, _ in (*plan.updated, *plan.refreshed))):
            dags[found.uid] = Recorded(
                uid=found.uid,
                dag_id=found.spec.id,
                source_path=found.source_path,
                spec_hash=found.spec_hash,
                version=1,
                text=found.file.text,
                image=found.file.image or "",
            )
        for stale in plan.stale:
            dags[stale.uid] = dags[stale.uid]._replace(stale_reason=stale.reason)
        for uid in plan.pruned:
            del dags[uid]
        return Store(tuple(dags.values()))


@st.composite
def stores(draw: st.DrawFn) -> Store:
    """The content of a store after some commits."""
    store = Store()
    for commit in draw(st.lists(commits(), max_size=3)):
        store = store.apply(make_plan("repo", commit, store.dags))
    return store


def is_keyed(file: FileResult, store: Store) -> bool:
    """Return whether the uids of the file's DAGs contain their ids; if their number is in doubt, as before."""
    recorded = [dag.uid for dag in store.dags if dag.source_path == file.source.path]
    had_keys = bool(recorded) and f"repo/{file.source.path}" not in recorded
    return file.keyed or (bool(file.doubts) and had_keys)


def expected_fate(dag: Recorded, commit: Sequence[FileResult], store: Store) -> str:
    """Return the required outcome of one recorded DAG: the rules, one recorded DAG at a time."""
    ours = [found for found in commit if found.source.path == dag.source_path]
    if not ours:
        return "pruned"  # the file is gone
    (its_file,) = ours
    keyed = is_keyed(its_file, store)
    for found in its_file.dags:
        if dag.uid == (f"repo/{dag.source_path}::{found.id}" if keyed else f"repo/{dag.source_path}"):
            if found.sha256 != dag.spec_hash:
                return "updated"
            same = (its_file.text, its_file.image or "", None) == (dag.text, dag.image, dag.stale_reason)
            return "unchanged" if same else "refreshed"
    unsure = its_file.status is FileStatus.FAILED or bool(its_file.doubts)
    superseded = dag.dag_id in [found.id for found in its_file.dags]
    return "stale" if unsure and not superseded else "pruned"


def fates(plan: Plan) -> list[tuple[str, str]]:
    """Every uid that the plan names, with what becomes of it."""
    named = [(found.uid, "created") for found in plan.created]
    named += [(found.uid, "updated") for found, _ in plan.updated]
    named += [(found.uid, "refreshed") for found, _ in plan.refreshed]
    named += [(uid, "unchanged") for uid in plan.unchanged]
    named += [(stale.uid, "stale") for stale in plan.stale]
    return named + [(uid, "pruned") for uid in plan.pruned]


def recorded(path: str, dag_id: str, *, keyed: bool = True, revision: int = 0) -> Recorded:
    uid = uid_of("repo", path, dag_id if keyed else None)
    return Recorded(uid, dag_id, path, spec(dag_id, revision).sha256, 1, text="text")
