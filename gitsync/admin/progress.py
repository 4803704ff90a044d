"""The progress of a running sync, as a bar and as text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.html import format_html
from django.utils.safestring import SafeString

from gitsync.models import SyncRun, SyncState

# The steps in order, each with its approximate percentage of the time of a sync that compiles files.
WEIGHTS = {"fetch": 15, "verify": 2, "discover": 8, "compile": 60, "plan": 5, "apply": 8, "finish": 2}
_BEGINNING = "starting"
_NARROW_SPACE = "\u202f"


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress: `percent` from 0 to 100, and `words` such as `compile 340 of 1 000 files`."""

    percent: int
    words: str


def progress_of(run: Any) -> Progress:
    """Return the progress of a running sync from its step and its number of compiled files."""
    before = 0
    for step, weight in WEIGHTS.items():
        if step == run.step:
            break
        before += weight
    else:
        return Progress(0, _BEGINNING)
    if step != "compile" or not run.files_total:
        return Progress(before, step)
    done = min(run.files_done, run.files_total)
    files = f"{_spaced(done)} of {_spaced(run.files_total)} file{'s' if run.files_total != 1 else ''}"
    return Progress(before + weight * done // run.files_total, f"{step} {files}")


def bar(run: Any, name: str) -> SafeString:
    """Return the progress bar of a running sync with its text. `name` is the repository's name."""
    progress = progress_of(run)
    return format_html(
        '<span class="kiok-going"><progress max="100" value="{}" aria-label="Sync of {}">{}</progress> {}</span>',
        progress.percent,
        name,
        progress.words,
        progress.words,
    )


def with_newest_sync(repositories: QuerySet[Any]) -> QuerySet[Any]:
    """Annotate repositories with the key of their newest sync as `newest_sync`."""
    newest = SyncRun.objects.filter(repository=OuterRef("pk")).order_by("-id").values("pk")[:1]
    annotated: QuerySet[Any] = repositories.annotate(newest_sync=Subquery(newest))
    return annotated


def under_way(repositories: Iterable[Any]) -> dict[int, Any]:
    """Return the running sync of each repository of `with_newest_sync`, by repository key. Takes one query."""
    keys = [repository.newest_sync for repository in repositories if repository.newest_sync]
    columns = ("repository_id", "step", "files_done", "files_total")
    running = SyncRun.objects.filter(pk__in=keys, state=SyncState.RUNNING).only(*columns)
    return {run.repository_id: run for run in running}


def _spaced(number: int) -> str:
    return f"{number:,}".replace(",", _NARROW_SPACE)
