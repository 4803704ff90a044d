"""Plans of random commits, compared with a model written from the rules."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from compilers.result import FileResult, FileStatus
from gitsync.sync.plan import make_plan, uid_of
from tests.support.plan_model import (
    PATHS,
    Store,
    commits,
    expected_fate,
    fates,
    file,
    is_keyed,
    stores,
)


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
def test_a_reused_file_keeps_its_dags_and_changes_nothing_for_others(
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
