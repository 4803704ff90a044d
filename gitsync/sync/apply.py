"""Step "apply": write the whole plan in one fenced transaction.

Readers see the old commit or the new one, never a mix. The number of statements per 1 000 rows is constant.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import Max

from compilers.excerpt import excerpts
from compilers.formats import FORMATS
from compilers.result import FileResult, FileStatus
from compilers.source import Ignored
from gitsync.errors import ConfigurationChanged
from gitsync.git.commit_object import NO_FACTS, CommitFacts
from gitsync.models import FileState, Repository, SourceFile
from gitsync.models.source_file import IGNORED_PREFIX
from gitsync.sync.bulk_copy import copy, copy_unsaved, delete
from gitsync.sync.lease import SyncLease, locked_if_held
from gitsync.sync.plan import Plan, PlannedDag, Recorded
from gitsync.sync.retries import schedule_retry
from kiok.cluster.clock import database_now
from kiok.metadata.models import Dag, DagVersion, Origin

BATCH = 1000  # rows per statement

T = TypeVar("T")


def recorded_dags(repository: str) -> list[Recorded]:
    """Return the stored DAGs of a repository, in any order, without their source texts, which are long."""
    rows = Dag.objects.filter(origin=Origin.GIT, repository=repository).order_by()
    columns = ("uid", "dag_id", "source_path", "spec_hash", "version", "stale_reason", "image_digest")
    return [Recorded(*row) for row in rows.values_list(*columns)]


def with_texts(recorded: Sequence[Recorded], compiled: Collection[str]) -> list[Recorded]:
    """Add the source texts of the DAGs whose file was compiled; only those are compared."""
    texts: dict[str, str | None] = {}
    for chunk in _chunks(item.uid for item in recorded if item.source_path in compiled):
        texts.update(Dag.objects.filter(uid__in=chunk).values_list("uid", "source"))
    return [item._replace(text=texts[item.uid]) if item.uid in texts else item for item in recorded]


def taken_uids(repository: str, uids: Iterable[str]) -> dict[str, str]:
    """Return which of `uids` belong to a DAG from outside this repository, with a description of its owner."""
    taken: dict[str, str] = {}
    for chunk in _chunks(uids):
        rows = Dag.objects.filter(uid__in=chunk).exclude(origin=Origin.GIT, repository=repository)
        taken.update({uid: f"a DAG of origin {origin}" for uid, origin in rows.values_list("uid", "origin")})
    return taken


def apply(
    plan: Plan,
    held: SyncLease,
    commit: str,
    ignored: Sequence[Ignored],
    facts: CommitFacts = NO_FACTS,
) -> None:
    """Commit the plan. Raises LeaseLost or ConfigurationChanged; nothing has changed then."""
    with transaction.atomic():
        repository = locked_if_held(held)
        if repository.config_hash != held.config_hash:
            raise ConfigurationChanged("the repository was edited during the sync; it is synced again")
        now = database_now()
        _create(plan.created, repository, commit, facts, now)
        _update(plan.updated, repository, commit, facts, now)
        _refresh(plan.refreshed, repository, commit, now)
        _mark_stale(plan, now)
        delete(Dag, "uid", plan.pruned, origin=Origin.GIT.value, repository=repository.name)
        _record_files(repository, plan, ignored, commit, now)
        # The last outcome no longer describes the stored DAGs. Clear it even if this worker dies before it records a new
        # one: if the push were reverted then, a poll would wrongly find nothing new.
        Repository.objects.filter(pk=repository.pk).update(last_outcome={})


def _create(
    created: Sequence[PlannedDag], repository: Repository, commit: str, facts: CommitFacts, now: datetime
) -> None:
    for chunk in _chunks(created):
        last = dict(
            DagVersion.objects.filter(uid__in=[item.uid for item in chunk])
            .values("uid")
            .annotate(last=Max("version"))
            .values_list("uid", "last")
        )
        versions = [(item, last.get(item.uid, 0) + 1) for item in chunk]
        copy(Dag, _DAG_COLUMNS, (_dag(item, repository, version, commit, now) for item, version in versions))
        _add_versions(versions, commit, facts, now)


def _update(
    updated: Sequence[tuple[PlannedDag, Recorded]],
    repository: Repository,
    commit: str,
    facts: CommitFacts,
    now: datetime,
) -> None:
    for chunk in _chunks(updated):
        rows = [_row(item, repository, before.version + 1, commit, now) for item, before in chunk]
        _overwrite(rows)
        _add_versions([(item, before.version + 1) for item, before in chunk], commit, facts, now)


def _refresh(
    refreshed: Sequence[tuple[PlannedDag, Recorded]], repository: Repository, commit: str, now: datetime
) -> None:
    for chunk in _chunks(refreshed):
        _overwrite([_row(item, repository, before.version, commit, now) for item, before in chunk])


def _overwrite(rows: Sequence[Dag]) -> None:
    """Update existing rows in place. Uses an upsert, because `bulk_update` is many times slower."""
    Dag.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["uid"], update_fields=_WRITTEN_BY_A_COMMIT
    )


_WRITTEN_BY_A_COMMIT = (
    "dag_id",
    "name",
    "description",
    "schedule",
    "owner",
    "tags",
    "spec",
    "spec_hash",
    "version",
    "commit_sha",
    "source",
    "image_digest",
    "stale_since",
    "stale_reason",
    "updated_at",
)


_DAG_COLUMNS = (
    *("uid", "dag_id", "name", "description", "origin", "repository", "source_path", "schedule"),
    *("owner", "tags", "spec", "spec_hash", "version", "commit_sha", "source", "image_digest"),
    *("created_at", "updated_at"),
)


def _dag(
    item: PlannedDag, repository: Repository, version: int, commit: str, now: datetime
) -> Sequence[object]:
    """Return the values of `_DAG_COLUMNS` for a new DAG."""
    dag, file = item.spec, item.file
    return (
        *(item.uid, dag.id, dag.name, dag.description, Origin.GIT.value, repository.name, item.source_path),
        *(
            dag.schedule,
            dag.owner or repository.owner,
            list(dag.tags),
            item.spec_json,
            item.spec_hash,
            version,
        ),
        *(commit, file.text, file.image or "", now, now),
    )


def _row(item: PlannedDag, repository: Repository, version: int, commit: str, now: datetime) -> Dag:
    dag = item.spec
    return Dag(
        uid=item.uid,
        dag_id=dag.id,
        name=dag.name,
        description=dag.description,
        origin=Origin.GIT,
        repository=repository.name,
        source_path=item.source_path,
        schedule=dag.schedule,
        owner=dag.owner or repository.owner,
        tags=list(dag.tags),
        spec=dag.to_json(),
        spec_hash=item.spec_hash,
        version=version,
        commit_sha=commit,
        source=item.file.text,
        image_digest=item.file.image or "",
        stale_since=None,
        stale_reason=None,
        created_at=now,
        updated_at=now,
    )


_VERSION_COLUMNS = (
    *("uid", "version", "spec", "spec_hash", "commit_sha", "commit_author", "commit_subject", "commit_time"),
    *("source", "created_at"),
)


def _add_versions(
    versions: Iterable[tuple[PlannedDag, int]], commit: str, facts: CommitFacts, now: datetime
) -> None:
    of_commit = (commit, facts.author, facts.subject, facts.time)
    copy(
        DagVersion,
        _VERSION_COLUMNS,
        (
            (item.uid, version, item.spec_json, item.spec_hash, *of_commit, item.file.text, now)
            for item, version in versions
        ),
    )


def _mark_stale(plan: Plan, now: datetime) -> None:
    """Store the reason of each stale DAG and keep the time since when. Rows that do not change are not written."""
    for chunk in _chunks(plan.stale):
        reasons = {item.uid: item.reason for item in chunk}
        changed = []
        for row in Dag.objects.filter(uid__in=reasons).only("uid", "stale_since", "stale_reason"):
            if row.stale_reason != reasons[row.uid]:
                row.stale_since = row.stale_since or now
                row.stale_reason = reasons[row.uid]
                changed.append(row)
        Dag.objects.bulk_update(changed, ["stale_since", "stale_reason"])


_COMPARED = (
    *("kind", "blob_sha", "state", "dags", "diagnostics", "image_digest"),
    *("traced_accesses", "compile_key", "retry_at", "attempts"),
)
_WRITTEN_OF_A_FILE = (*_COMPARED, "seconds", "first_failed_at", "last_failed_at", "commit_sha")


def _record_files(
    repository: Repository, plan: Plan, ignored: Sequence[Ignored], commit: str, now: datetime
) -> None:
    """Update the repository's file rows. Rows whose outcome did not change are not rewritten."""
    files = SourceFile.objects.filter(repository=repository)
    gone = dict(files.order_by().values_list("path", "pk"))
    for file in plan.files:
        if file.reused:
            gone.pop(file.source.path, None)
    retried = {file.source.path: file for file in plan.compiled_files if file.retry}
    for chunk in _chunks(_file_rows(repository, plan, ignored, commit, now)):
        before = {row.path: row for row in files.filter(path__in=[row.path for row in chunk]).order_by()}
        created, changed, seen_again = [], [], []
        for row in chunk:
            gone.pop(row.path, None)
            old = before.get(row.path)
            if failure := retried.get(row.path):
                schedule_retry(row, old, repository, now, starved=failure.starved)
            if old is None:
                created.append(row)
            elif any(getattr(old, name) != getattr(row, name) for name in _COMPARED):
                if row.state == FileState.FAILED:
                    row.first_failed_at = old.first_failed_at or now
                changed.append(row)
            elif row.state == FileState.FAILED:
                seen_again.append(old.pk)
        copy_unsaved(created)
        SourceFile.objects.bulk_create(
            changed,
            update_conflicts=True,
            unique_fields=["repository", "path"],
            update_fields=_WRITTEN_OF_A_FILE,
        )
        files.filter(pk__in=seen_again).update(last_failed_at=now)
    delete(SourceFile, "id", [*gone.values()])


def _file_rows(
    repository: Repository, plan: Plan, ignored: Sequence[Ignored], commit: str, now: datetime
) -> Iterable[SourceFile]:
    for file in plan.compiled_files:
        failed_at = now if file.status is FileStatus.FAILED else None
        yield SourceFile(
            repository_id=repository.pk,
            path=file.source.path,
            kind=file.source.kind,
            blob_sha=file.source.blob,
            state=file.status.value,
            dags=len(file.dags),
            diagnostics=_problems(file),
            image_digest=file.image or "",
            seconds=file.seconds,
            first_failed_at=failed_at,
            last_failed_at=failed_at,
            commit_sha=commit,
            traced_accesses="\n".join(file.traced_accesses or ()) if file.key else "",
            compile_key=file.key,
        )
    for item in ignored:
        yield SourceFile(
            repository=repository,
            path=item.path,
            state=FileState.IGNORED,
            diagnostics=[{"message": f"{IGNORED_PREFIX}{item.reason}"}],
            commit_sha=commit,
        )


def _problems(file: FileResult) -> list[dict[str, Any]]:
    """Return the file's diagnostics as they are stored; for a failed file, each with an excerpt of the lines around it."""
    stored = [diagnostic.to_json() for diagnostic in file.diagnostics]
    if file.status is FileStatus.FAILED and file.text is not None:
        around = excerpts(file.text, file.diagnostics, FORMATS[file.source.kind].line_break)
        for problem, excerpt in zip(stored, around, strict=True):
            if excerpt is not None:
                problem["excerpt"] = excerpt.to_json()
    return stored


def _chunks(items: Iterable[T]) -> Iterable[list[T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, BATCH)):
        yield chunk
