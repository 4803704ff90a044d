"""Steps fetch to plan: find out what a commit means for the metadata store. They write nothing to the store.

From the cached result of a file, its last compile, the compilers decide whether it must be compiled again.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from django.db.models import TextField
from django.db.models.functions import Cast

from compilers.build_cache import CachedResult
from compilers.pipeline import Compilation, Share, compile_work, find_work
from compilers.result import FileResult, FileStatus
from gitsync.errors import TooManyDags
from gitsync.git.commit_object import CommitFacts
from gitsync.models import FileState, Repository, SourceFile, Verify
from gitsync.sync import apply as store
from gitsync.sync.context import Requeue, SyncContext
from gitsync.sync.plan import Plan, Recorded, make_plan, uid_of
from gitsync.sync.remote import Remote, remote_of
from gitsync.sync.report import not_a_dag_reasons
from gitsync.sync.subpath import check_subpath
from gitsync.sync.verify import verify_commit
from gitsync.worker import sandbox
from kiok.cluster.clock import database_now
from kiok.cluster.conf import properties
from kiok.connections.redaction import redact
from kiok.errors import Diagnostic
from kiok.metadata.models import MAX_AUTHOR, MAX_SUBJECT
from kiok.text import cut

NOTED_PROBLEMS = 100  # in the sync log; the record of the sync has more
NOTED_REASONS = 50  # files without a DAG, and ignored entries, in the sync log; the file list has all


def fetch(context: SyncContext) -> None:
    """Bring the commit that the ref names into the mirror, complete in the scope. Raises GitError, SyncError."""
    context.enter("fetch")
    remote = remote_of(context.repository)
    mirror = context.resources.enter_context(remote.mirror.held())
    if mirror is not remote.mirror:
        context.note("another process holds the mirror; this sync uses a temporary one")
        remote = replace(remote, mirror=mirror)
    context.remote = remote
    context.commit = remote.mirror.fetch(remote.url, remote.ref, remote.credential, remote.scope)
    context.facts = _storable(remote.mirror.facts(context.commit))
    _note_fetched(context, remote, context.repository)


def verify(context: SyncContext) -> None:
    """Verify the signature of the commit or tag, if the repository requires one. Raises GitError, SyncError."""
    repository = context.repository
    if repository.verify == Verify.OFF:
        return
    context.enter("verify")
    signer = verify_commit(context.remote, repository, context.commit)
    if signer:
        context.note(
            f"the {repository.verify} is signed by {signer.name}, {signer.kind} key {signer.fingerprint}"
        )


def discover(context: SyncContext) -> Requeue | None:
    """Find the DAG files of the commit, and those of them that have to be compiled.

    Returns Requeue if the queue does not admit so much work now. Raises GitError, SyncError, CompilerError.
    """
    context.enter("discover")
    repository, remote, options = context.repository, context.remote, context.options
    tree = remote.mirror.tree(context.commit, remote.scope)
    check_subpath(tree, remote, repository)
    context.recorded = store.recorded_dags(repository.name)
    context.work = find_work(
        tree,
        sandbox=sandbox.sandbox(),
        subpath=remote.subpath,
        images=repository.images,
        known={}
        if options.full
        else _cached_results(repository, context.recorded, retry_now=options.retries_now),
        served={item.source_path for item in context.recorded},
    )
    shares = context.work.shares
    if reason := options.admit(shares):
        return Requeue(reason, options.full)
    context.note(_found(shares, full=options.full))
    context.files_total = sum(share.due for share in shares)
    return None


def compile_files(context: SyncContext) -> None:
    """Compile the files that are due, in containers, and let the mirror go. Raises GitError, CompilerError."""
    context.enter("compile")
    context.compilation = compile_work(
        context.work,
        labels=sandbox.labels(context.repository.name, context.run),
        progress=context.compiled,
        note=context.note,
    )
    _note_compiled(context, context.compilation)
    context.resources.close()


def plan(context: SyncContext) -> None:
    """Compare the files with the recorded DAGs: what is created, updated, pruned or kept. Raises TooManyDags."""
    context.enter("plan")
    context.plan = _plan(context.repository, context.compilation, context.recorded)
    _note_files(context, context.plan, context.compilation)
    counts = ", ".join(f"{len(uids)} {name}" for name, uids in context.plan.changes.items())
    unchanged = len(context.plan.unchanged) + len(context.plan.refreshed)
    context.note(f"DAGs: {counts}, {unchanged} unchanged")


def _storable(facts: CommitFacts) -> CommitFacts:
    """Return the facts with secrets masked and their texts cut to their columns."""
    return replace(
        facts,
        author=cut(redact(facts.author), MAX_AUTHOR),
        subject=cut(redact(facts.subject), MAX_SUBJECT),
    )


def _note_fetched(context: SyncContext, remote: Remote, repository: Repository) -> None:
    before = repository.last_good_commit
    since = (
        "same as the last good sync" if before == context.commit else f"last good sync: {before or 'none'}"
    )
    context.note(f"{remote.ref} of {remote.url.display} is at commit {context.commit}, {since}")
    if remote.scope.is_whole:
        context.note("fetched the whole commit")
    elif remote.mirror.is_partial:
        context.note(f"fetched only the files under {remote.subpath} and those that `include` names")
    else:
        context.note("fetched the whole commit: the server does not support partial fetches")


def _found(shares: Sequence[Share], *, full: bool) -> str:
    """Return a line such as `12 files: 10 python, 2 yaml; 3 to compile, 9 unchanged`."""
    found, due = sum(share.found for share in shares), sum(share.due for share in shares)
    if not found:
        return "no files"
    kinds = ", ".join(f"{share.found} {share.kind}" for share in shares)
    rest = "full sync: all are compiled" if full else f"{due} to compile, {found - due} unchanged"
    return f"{found} file{'s' if found != 1 else ''}: {kinds}; {rest}"


def _note_compiled(context: SyncContext, compilation: Compilation) -> None:
    compiled = sum(not file.reused for file in compilation.files)
    context.note(f"{compiled} of {len(compilation.files)} files compiled; {len(compilation.failed)} failed")
    waiting = [file.source.path for file in compilation.files if file.reused and file.retry]
    if waiting:
        more = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
        context.note(f"not compiled, because the retry is not due: {waiting[0]}{more}")


def _note_files(context: SyncContext, plan: Plan, compilation: Compilation) -> None:
    """Log every problem of the failed files, and why the other files contain no DAG.

    The plan decides which files failed: a file in doubt fails if it gave a DAG before.
    """
    problems = [
        f"{file.source.path}{f':{item.line}' if item.line is not None else ''}: {item.message}"
        for file in plan.failed_files
        for item in file.diagnostics
    ]
    _note_first(context, problems, NOTED_PROBLEMS, "problems")
    others = [f"not a DAG: {path}: {reason}" for path, reason in not_a_dag_reasons(plan).items()]
    others += [f"ignored: {item.path}: {item.reason}" for item in compilation.ignored]
    _note_first(context, others, NOTED_REASONS, "files without a DAG or ignored")


def _note_first(context: SyncContext, lines: Sequence[str], limit: int, noun: str) -> None:
    for line in lines[:limit]:
        context.note(line)
    if len(lines) > limit:
        context.note(f"… and {len(lines) - limit} more {noun}")


def _plan(repository: Repository, compilation: Compilation, recorded: Sequence[Recorded]) -> Plan:
    limit = properties().gitsync_max_dags
    found = [(file, spec.id) for file in compilation.files for spec in file.dags]
    reused = {file.source.path for file in compilation.files if file.reused}
    number = len(found) + sum(item.source_path in reused for item in recorded)
    if number > limit:
        raise TooManyDags(
            f"the commit contains {number} DAGs; at most {limit} are allowed (kiok.gitsync.max.dags). Nothing was changed"
        )
    return make_plan(
        repository.name,
        compilation.files,
        store.with_texts(recorded, {file.source.path for file in compilation.files} - reused),
        store.taken_uids(repository.name, _possible_uids(repository.name, found)),
        _earlier_doubts(repository, [file.source.path for file in compilation.files if file.doubts]),
    )


def _possible_uids(repository: str, found: Sequence[tuple[FileResult, str]]) -> list[str]:
    """Return the uids that the DAGs may get.

    For a file in doubt, only the plan knows whether its uids contain the DAG ids, so both forms are returned.
    """
    return [
        uid_of(repository, file.source.path, dag_id if keyed else None)
        for file, dag_id in found
        for keyed in ({file.keyed, True} if file.doubts else {file.keyed})
    ]


def _cached_results(
    repository: Repository, recorded: Iterable[Recorded], *, retry_now: bool = False
) -> dict[str, CachedResult]:
    """Return the cached result of each path whose DAGs are all still stored.

    If the store has fewer DAGs than the file gave, or stale ones of a file that did not fail, something else changed
    them. Such a file has no cached result and is compiled again. The same holds for a failed file whose retry is due;
    with `retry_now` every retry is.
    """
    now = database_now()
    served: dict[str, list[tuple[str, str]]] = {}
    stale: dict[str, list[tuple[str, str]]] = {}
    for item in recorded:
        where = served if item.stale_reason is None else stale
        where.setdefault(item.source_path, []).append((item.dag_id, item.spec_hash))
    rows = (
        SourceFile.objects.filter(repository=repository)
        .exclude(compile_key="")
        # As text: nearly all rows have no diagnostics, and decoding JSON takes longer than reading the row.
        .annotate(problems=Cast("diagnostics", TextField()))
        .order_by()  # the model's own order joins the repository and sorts
        .values_list(
            "path", "state", "dags", "problems", "image_digest", "compile_key", "traced_accesses", "retry_at"
        )
    )
    status_of = {str(status): status for status in FileStatus}
    known = {}
    for path, state, dags, problems, image, key, traced_accesses, retry_at in rows:
        if retry_at is not None and (retry_now or retry_at <= now):
            continue
        serving, left = served.get(path, ()), stale.get(path, ())
        if len(serving) != dags or (left and state != FileState.FAILED):
            continue
        known[path] = CachedResult(
            key,
            tuple(traced_accesses.split("\n")) if traced_accesses else (),
            image,
            status_of[state],
            () if problems == "[]" else tuple(map(Diagnostic.from_json, json.loads(problems))),
            retry_at is not None,
            (*serving, *left),
        )
    return known


def _earlier_doubts(repository: Repository, paths: Collection[str]) -> dict[str, frozenset[str]]:
    """Return the messages of the doubts that each of `paths` had at its last compile without a failure.

    The file's DAGs were registered then, so none of these doubts is about one of them. Failed paths are left out.
    """
    if not paths:
        return {}
    rows = SourceFile.objects.filter(repository=repository, path__in=paths, state=FileState.COMPILED)
    return {
        path: frozenset(str(item.get("message", "")) for item in diagnostics)
        for path, diagnostics in rows.values_list("path", "diagnostics")
    }
