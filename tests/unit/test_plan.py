"""The plan: what a commit means for the metadata store.

A reference model, written from the rules alone, judges every plan; commits are drawn at random.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
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
    """What the compilers may make of one file."""
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
            dags[stale.uid] = replace(dags[stale.uid], stale_reason=stale.reason)
        for uid in plan.pruned:
            del dags[uid]
        return Store(tuple(dags.values()))


@st.composite
def stores(draw: st.DrawFn) -> Store:
    """What a store holds after some commits."""
    store = Store()
    for commit in draw(st.lists(commits(), max_size=3)):
        store = store.apply(make_plan("repo", commit, store.dags))
    return store


def is_keyed(file: FileResult, store: Store) -> bool:
    """Whether the uids of the file's DAGs have their ids: where it is in doubt how many there are, as they had."""
    recorded = [dag.uid for dag in store.dags if dag.source_path == file.source.path]
    had_keys = bool(recorded) and f"repo/{file.source.path}" not in recorded
    return file.keyed or (bool(file.doubts) and had_keys)


def expected_fate(dag: Recorded, commit: Sequence[FileResult], store: Store) -> str:
    """What has to become of one recorded DAG: the rules, one recorded DAG at a time."""
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


@settings(max_examples=500)
@given(stores(), commits())
def test_every_recorded_dag_has_the_one_fate_that_the_rules_give_it(
    store: Store, commit: list[FileResult]
) -> None:
    plan = make_plan("repo", commit, store.dags)
    named = fates(plan)
    assert len(dict(named)) == len(named), "a uid is named twice"
    recorded = {dag.uid: expected_fate(dag, commit, store) for dag in store.dags}
    assert {uid: fate for uid, fate in named if fate != "created"} == recorded


@given(stores(), commits())
def test_a_plan_would_empty_the_store_where_it_leaves_none_of_its_dags(
    store: Store, commit: list[FileResult]
) -> None:
    plan = make_plan("repo", commit, store.dags)
    assert plan.would_empty == (bool(store.dags) and not store.apply(plan).dags)


@given(stores())
def test_a_commit_without_files_would_empty_every_store_that_has_dags(store: Store) -> None:
    assert make_plan("repo", [], store.dags).would_empty == bool(store.dags)


@given(stores(), commits())
def test_every_dag_of_the_commit_is_found_exactly_once(store: Store, commit: list[FileResult]) -> None:
    plan = make_plan("repo", commit, store.dags)
    wanted = [
        uid_of("repo", f.source.path, dag.id if is_keyed(f, store) else None)
        for f in commit
        for dag in f.dags
    ]
    served = [uid for uid, fate in fates(plan) if fate in ("created", "updated", "refreshed", "unchanged")]
    assert sorted(served) == sorted(wanted)
    assert {uid for uid, fate in fates(plan) if fate == "created"} == set(wanted) - {
        d.uid for d in store.dags
    }


@given(stores(), commits())
def test_what_is_pruned_is_gone_or_proven_to_hold_no_such_dag(store: Store, commit: list[FileResult]) -> None:
    recorded = {dag.uid: dag for dag in store.dags}
    plan = make_plan("repo", commit, store.dags)
    judged = {judged.source.path: judged for judged in plan.files}
    for uid in plan.pruned:
        its_file = judged.get(recorded[uid].source_path)
        if its_file is None:
            continue
        ids = [dag.id for dag in its_file.dags]
        if its_file.status is FileStatus.FAILED:
            # Superseded only: the same DAG of the same file is served, under the uid it has now.
            assert recorded[uid].dag_id in ids
            now = uid_of("repo", its_file.source.path, recorded[uid].dag_id if its_file.keyed else None)
            assert now != uid
        else:
            assert not its_file.doubts


@given(stores(), commits())
def test_no_dag_of_one_file_is_ever_served_twice(store: Store, commit: list[FileResult]) -> None:
    after = store.apply(make_plan("repo", commit, store.dags))
    served = [(dag.source_path, dag.dag_id) for dag in after.dags]
    assert len(set(served)) == len(served)


@given(stores(), commits())
def test_a_plan_that_was_carried_out_has_nothing_left_to_do(store: Store, commit: list[FileResult]) -> None:
    first = make_plan("repo", commit, store.dags)
    after = store.apply(first)
    second = make_plan("repo", commit, after.dags)
    assert {fate for _, fate in fates(second)} <= {"unchanged", "stale"}
    assert second.stale == first.stale
    assert after.apply(second) == after


@given(stores(), commits())
def test_the_order_of_the_files_does_not_matter(store: Store, commit: list[FileResult]) -> None:
    plan = make_plan("repo", commit, store.dags)
    backwards = make_plan("repo", commit[::-1], store.dags[::-1])
    assert sorted(fates(plan)) == sorted(fates(backwards))


@given(stores(), commits())
def test_a_commit_whose_files_all_fail_prunes_only_with_their_files(
    store: Store, commit: list[FileResult]
) -> None:
    broken = [file(found.source.path, failed=True) for found in commit]
    plan = make_plan("repo", broken, store.dags)
    gone = {dag.uid for dag in store.dags if dag.source_path not in {f.source.path for f in commit}}
    assert set(plan.pruned) == gone
    assert {stale.uid for stale in plan.stale} == {dag.uid for dag in store.dags} - gone
    assert (plan.created, plan.updated, plan.refreshed, plan.unchanged) == ((), (), (), ())


@given(commits())
def test_a_file_that_claims_anothers_uid_fails_and_takes_nothing(commit: list[FileResult]) -> None:
    uids = [uid_of("repo", f.source.path, dag.id if f.keyed else None) for f in commit for dag in f.dags]
    taken = dict.fromkeys(uids[:1], "the bundle 'old'")
    plan = make_plan("repo", commit, (), taken)
    assert {found.uid for found in plan.created}.isdisjoint(taken)
    if taken:
        (claimant,) = (
            f
            for f in commit
            if uids[0] in {uid_of("repo", f.source.path, dag.id if f.keyed else None) for dag in f.dags}
        )
        (judged,) = (f for f in plan.files if f.source == claimant.source)
        assert judged.status is FileStatus.FAILED
        assert judged.dags == ()
        assert judged.diagnostics[0].message == f"the id {uids[0]!r} belongs to the bundle 'old'"
        assert judged.text == claimant.text


@settings(max_examples=300)
@given(stores(), commits(), st.data())
def test_a_reused_file_keeps_its_dags_as_they_are_and_changes_nothing_for_the_others(
    store: Store, commit: list[FileResult], data: st.DataObject
) -> None:
    paths = data.draw(st.sets(st.sampled_from(PATHS)))
    reused = [replace(found, dags=(), reused=True) for found in commit if found.source.path in paths]
    others = [found for found in commit if found.source.path not in paths]
    plan = make_plan("repo", [*reused, *others], store.dags)
    kept = {dag for dag in store.dags if dag.source_path in {found.source.path for found in reused}}
    named = dict(fates(plan))
    assert {dag.uid: named.pop(dag.uid) for dag in kept} == {
        dag.uid: "unchanged" if dag.stale_reason is None else "stale" for dag in kept
    }
    alone = make_plan("repo", others, [dag for dag in store.dags if dag not in kept])
    assert named == dict(fates(alone))
    after = {dag.uid: dag for dag in store.apply(plan).dags}
    assert {after[dag.uid] for dag in kept} == kept
    assert {found for found in plan.files if found.reused} == set(reused)


def test_a_file_that_the_store_makes_fail_is_never_reused() -> None:
    keyed = replace(file("c.py", doubtful=True), key="key")
    (failed,) = make_plan("repo", [keyed], [recorded("c.py", "x")]).files
    assert (failed.status, failed.key) == (FileStatus.FAILED, "")
    claim = replace(file("c.py", [spec("x", 0)]), key="key")
    (refused,) = make_plan("repo", [claim], (), {"repo/c.py::x": "a bundle"}).files
    assert (refused.status, refused.key) == (FileStatus.FAILED, "")


def test_a_doubt_fails_a_file_only_where_a_recorded_dag_is_missing() -> None:
    doubtful = file("c.jar", [spec("x", 0)], doubtful=True)
    assert make_plan("repo", [doubtful], [recorded("c.jar", "x")]).files == (doubtful,)
    assert make_plan("repo", [doubtful], ()).files == (doubtful,)
    plan = make_plan("repo", [doubtful], [recorded("c.jar", "x"), recorded("c.jar", "y")])
    (failed,) = plan.failed_files
    assert failed.diagnostics == doubtful.doubts
    assert (plan.pruned, [item.uid for item in plan.stale]) == ((), ["repo/c.jar::y"])
    assert "something is not understood" in plan.stale[0].reason


def test_documents_keep_their_uids_where_another_one_of_the_file_is_in_doubt() -> None:
    """Two DAGs of one YAML file, of which one is now in doubt: the other is not renamed."""
    doubtful = file("c.yaml", [spec("x", 0)], keyed=False, doubtful=True)
    plan = make_plan("repo", [doubtful], [recorded("c.yaml", "x"), recorded("c.yaml", "y")])
    assert (plan.created, plan.pruned, [item.uid for item in plan.stale]) == ((), (), ["repo/c.yaml::y"])
    plan = make_plan("repo", [doubtful], [recorded("c.yaml", "x", keyed=False)])
    assert (plan.created, plan.pruned, plan.stale) == ((), (), ())


def recorded(path: str, dag_id: str, *, keyed: bool = True, revision: int = 0) -> Recorded:
    uid = uid_of("repo", path, dag_id if keyed else None)
    return Recorded(uid, dag_id, path, spec(dag_id, revision).sha256, 1, text="text")


def test_the_uid_of_a_lone_yaml_document_is_its_path_and_of_others_carries_the_id() -> None:
    plan = make_plan("repo", [file("a.yaml", [spec("x", 0)], keyed=False), file("c.py", [spec("x", 0)])], ())
    assert [found.uid for found in plan.created] == ["repo/a.yaml", "repo/c.py::x"]


def test_a_second_document_moves_the_first_to_its_new_uid() -> None:
    commit = [file("a.yaml", [spec("x", 0), spec("y", 0)])]
    plan = make_plan("repo", commit, [recorded("a.yaml", "x", keyed=False)])
    assert plan.changes == {
        "created": ["repo/a.yaml::x", "repo/a.yaml::y"],
        "updated": [],
        "pruned": ["repo/a.yaml"],
        "stale": [],
    }


def test_a_broken_second_document_supersedes_the_first_and_keeps_it_served_once() -> None:
    commit = [file("a.yaml", [spec("x", 0)], failed=True, keyed=True)]
    plan = make_plan("repo", commit, [recorded("a.yaml", "x", keyed=False)])
    assert ([found.uid for found in plan.created], plan.pruned) == (["repo/a.yaml::x"], ("repo/a.yaml",))
    assert plan.stale == ()


def test_the_good_dags_of_a_file_that_fails_in_part_are_taken_and_the_others_are_stale() -> None:
    commit = [file("c.py", [spec("x", 1)], failed=True)]
    plan = make_plan("repo", commit, [recorded("c.py", "x"), recorded("c.py", "y")])
    assert [found.uid for found, _ in plan.updated] == ["repo/c.py::x"]
    assert [(stale.uid, stale.reason) for stale in plan.stale] == [
        ("repo/c.py::y", "c.py:3: something is wrong")
    ]


def test_a_stale_reason_counts_the_problems_it_leaves_out() -> None:
    broken = replace(
        file("c.py", failed=True), diagnostics=(Diagnostic("one"), Diagnostic("two"), Diagnostic("3"))
    )
    (stale,) = make_plan("repo", [broken], [recorded("c.py", "x")]).stale
    assert stale.reason == "one (and 2 more)"
    bare = replace(broken, diagnostics=())
    assert make_plan("repo", [bare], [recorded("c.py", "x")]).stale[0].reason == "its file failed"


def test_a_file_that_cannot_be_loaded_fails_if_it_gave_dags_and_is_no_dag_if_it_never_did() -> None:
    doubtful = file("c.py", doubtful=True)
    plan = make_plan("repo", [doubtful], [recorded("c.py", "x")])
    assert plan.failed_files == (replace(doubtful, status=FileStatus.FAILED),)
    assert [stale.uid for stale in plan.stale] == ["repo/c.py::x"]
    assert make_plan("repo", [doubtful], [recorded("other.py", "x")]).failed_files == ()


def test_a_file_that_proves_to_hold_no_dag_any_more_gives_up_its_dags() -> None:
    assert make_plan("repo", [file("c.py")], [recorded("c.py", "x")]).pruned == ("repo/c.py::x",)


@pytest.mark.parametrize("change", ["text", "image", "stale_reason"])
def test_a_dag_whose_spec_is_the_same_is_refreshed_without_a_new_version(change: str) -> None:
    changed: dict[str, Any] = {change: "another"}
    before = replace(recorded("c.py", "x"), **changed)
    plan = make_plan("repo", [file("c.py", [spec("x", 0)])], [before])
    assert [(found.uid, item) for found, item in plan.refreshed] == [("repo/c.py::x", before)]
    assert plan.changes["updated"] == []
