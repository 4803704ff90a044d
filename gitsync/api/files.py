"""`/repositories/{name}/files` and `/errors`: the state of each file, and the failing files of all repositories."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from ninja import Router
from pydantic import Field, StringConstraints

from compilers.excerpt import Excerpt
from gitsync.api import pages
from gitsync.api.auth import ApiRequest, BearerToken
from gitsync.api.pages import SORT, Column, Cursor, Limit, Order, Total, or_earliest
from gitsync.api.problems import not_found
from gitsync.api.repositories import found
from gitsync.api.schemas import (
    ABSENT,
    FilePath,
    Instant,
    RepositoryFilter,
    RepositoryName,
    Search,
    Sent,
    Text,
    Time,
    absent,
)
from gitsync.models import FileState, SourceFile, TokenScope
from gitsync.repositories import failing_files as failing
from gitsync.repositories.queries import located_files, reason_of

router = Router(tags=["files"], by_alias=True)

VIEW = "gitsync.view_sourcefile"
BY_PATH = Order(
    (Column("path", str),),
    Column("path", str),
    {
        "path": Column("path", str),
        "kind": Column("kind", str),
        "state": Column("state", str),
        "firstFailedAt": Column("first_failure", datetime),
        "lastFailedAt": Column("last_failure", datetime),
    },
)
NEWEST_FIRST = Order(
    (Column("since", datetime, descending=True), Column("pk", int, descending=True)),
    Column("pk", int),
    {
        "firstSeen": Column("since", datetime),
        "path": Column("path", str),
        "repository": Column("repository_name", str),
    },
)

FileKind = Annotated[Text, StringConstraints(max_length=10)]
FileStateName = Literal["compiled", "failed", "not_a_dag", "ignored"]


class ExcerptOut(Sent):
    """Lines of the source; `first` is the number of the first line."""

    first: int
    lines: list[str]


class ProblemInFile(Sent):
    """A problem in a file, with its location as far as it is known."""

    message: str
    path: str | None
    line: int | None
    column: int | None
    dag: str | None
    task: str | None
    key: str | None
    excerpt: ExcerptOut | None
    output: str | None = Field(description="The end of the output that the file printed during compilation.")


class File(Sent):
    """The fields of a file that both the list and the single file have."""

    path: str
    kind: str
    state: FileStateName
    dags: int
    blob: str
    commit: str = Field(description="The commit at which the file was last compiled.")
    first_failed_at: Time
    last_failed_at: Time
    retry_at: Time = Field(
        description="After a transient failure, such as a timeout: when the file is compiled again."
    )
    reason: str | None = Field(
        description="Why the file defines no DAG or is ignored; null in the other states."
    )


class FileSummary(File):
    """A file in a list."""

    problems: int
    first_problem: str | None


class FilePage(Sent):
    """A page of files."""

    items: list[FileSummary]
    next: str | None
    total: Total


class FileOut(File):
    """A file with all its problems."""

    repository: str
    image_digest: str
    compile_seconds: float
    problems: list[ProblemInFile]


class Served(Sent):
    """A stale DAG: the last good version, which is served while its file fails."""

    uid: str
    commit: str


class FailingFile(Sent):
    """A file that fails at the last applied commit."""

    repository: str
    path: str
    commit: str
    first_seen: Time
    last_seen: Time
    retry_at: Time = Field(
        description="After a transient failure, such as a timeout: when the file is compiled again."
    )
    problems: list[ProblemInFile] = Field(
        description="The first few problems; the file's own resource has all."
    )
    problems_in_all: int
    served: list[Served] = Field(
        description="The first few stale DAGs of the file; empty unless the user may view DAGs."
    )
    served_in_all: int


class ErrorPage(Sent):
    """A page of failing files."""

    items: list[FailingFile]
    next: str | None
    total: Total


@router.get(
    "/repositories/{name}/files",
    response=FilePage,
    auth=BearerToken(TokenScope.READ, VIEW),
    summary="List a repository's files",
)
def files(
    request: ApiRequest,
    name: RepositoryName,
    limit: Limit = pages.DEFAULT_LIMIT,
    cursor: Cursor = ABSENT,
    state: Annotated[FileStateName, Field(description="Only files in this state.")] = ABSENT,
    kind: Annotated[FileKind, Field(description="Only files of this kind.")] = ABSENT,
    failed_after: Annotated[
        Instant, Field(description="Only files that last failed at this time or later.")
    ] = absent("failedAfter"),
    search: Annotated[Search, Field(description="Text to find in the path.")] = ABSENT,
    sort: Annotated[str, BY_PATH, SORT] = ABSENT,
) -> FilePage:
    """List the repository's files with their state at the last applied commit, ordered by path or by `sort`."""
    given = {
        "state": state and FileState(state),
        "kind": kind,
        "last_failed_at__gte": failed_after,
        "path__icontains": search,
    }
    rows = SourceFile.objects.filter(repository=found(request.auth, name))
    rows = rows.filter(**{key: value for key, value in given.items() if value is not None})
    rows = located_files(rows).annotate(
        first_failure=or_earliest("first_failed_at"), last_failure=or_earliest("last_failed_at")
    )
    page = pages.cut(rows, BY_PATH, request, limit, cursor, sort)
    items = [
        FileSummary(**_file(row, reason_of(row)), problems=row.n_problems, first_problem=row.problem)
        for row in page.rows
    ]
    return FilePage(items=items, next=page.next, total=page.total)


@router.get(
    "/repositories/{name}/file",
    response=FileOut,
    auth=BearerToken(TokenScope.READ, VIEW),
    summary="Read a file's problems",
)
def file(request: ApiRequest, name: RepositoryName, path: FilePath) -> FileOut:
    """Return one file with all its problems, by its path from the repository's root."""
    repository = found(request.auth, name)
    row: Any = SourceFile.objects.filter(repository=repository, path=path).first()
    if row is None:
        raise not_found("file")
    return FileOut(
        **_file(row, row.reason),
        repository=repository.name,
        image_digest=row.image_digest,
        compile_seconds=row.seconds,
        problems=_problems(row.diagnostics),
    )


@router.get(
    "/errors",
    response=ErrorPage,
    auth=BearerToken(TokenScope.READ, VIEW),
    tags=["errors"],
    summary="List failing files",
)
def errors(
    request: ApiRequest,
    limit: Limit = pages.DEFAULT_LIMIT,
    cursor: Cursor = ABSENT,
    repository: RepositoryFilter = ABSENT,
    search: Annotated[Search, Field(description="Text to find in the path or message.")] = ABSENT,
    sort: Annotated[str, NEWEST_FIRST, SORT] = ABSENT,
) -> ErrorPage:
    """List the failing files of all repositories, each with the lines at fault and the stale DAGs that are served.

    The newest failure is first, unless `sort` is sent.
    """
    wanted = failing.FailingFileFilter(repository or "", (search or "").strip())
    rows = failing.failing_files(request.auth.user, wanted).annotate(since=or_earliest("first_failed_at"))
    page = pages.cut(rows, NEWEST_FIRST, request, limit, cursor, sort)
    served = failing.served(page.rows) if request.auth.may("metadata.view_dag") else {}
    items = [_failing(row, served.get((row["repository_name"], row["path"]), [])) for row in page.rows]
    return ErrorPage(items=items, next=page.next, total=page.total)


def _file(row: SourceFile, reason: str) -> dict[str, Any]:
    return {
        "path": row.path,
        "kind": row.kind,
        "state": row.state,
        "dags": row.dags,
        "blob": row.blob_sha,
        "commit": row.commit_sha,
        "first_failed_at": row.first_failed_at,
        "last_failed_at": row.last_failed_at,
        "retry_at": row.retry_at,
        "reason": reason or None,
    }


def _failing(row: Mapping[str, Any], served: list[Any]) -> FailingFile:
    return FailingFile(
        repository=row["repository_name"],
        path=row["path"],
        commit=row["commit_sha"],
        first_seen=row["first_failed_at"],
        last_seen=row["last_seen"],
        retry_at=row["retry_at"],
        problems=_problems(row["problems"]),
        problems_in_all=row["n_problems"] or 0,
        served=[Served(uid=dag["uid"], commit=dag["commit_sha"]) for dag in served],
        served_in_all=served[0]["number"] if served else 0,
    )


def _problems(stored: object) -> list[ProblemInFile]:
    """Return the stored diagnostics, without malformed entries."""
    items = stored if isinstance(stored, list) else []
    return [
        _problem(item) for item in items if isinstance(item, Mapping) and isinstance(item.get("message"), str)
    ]


def _problem(item: Mapping[str, Any]) -> ProblemInFile:
    def text(key: str) -> str | None:
        return value if isinstance(value := item.get(key), str) else None

    def number(key: str) -> int | None:
        return value if type(value := item.get(key)) is int else None

    excerpt = Excerpt.from_json(item.get("excerpt"))
    return ProblemInFile(
        message=item["message"],
        path=text("path"),
        line=number("line"),
        column=number("column"),
        dag=text("dag"),
        task=text("task"),
        key=text("key"),
        excerpt=ExcerptOut(first=excerpt.first, lines=list(excerpt.lines)) if excerpt else None,
        output=text("output"),
    )
