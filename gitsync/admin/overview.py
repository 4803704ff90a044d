"""The overview page: the state of every repository, updated while the page is visible."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from django.core.paginator import Page, Paginator
from django.forms import Media, Script
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, JsonResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.html import conditional_escape, format_html

from gitsync.access import may_sync
from gitsync.admin import errors, first_steps, git_links, panel, progress, states
from gitsync.admin.overview_query import OverviewFilter, Standing, standing, wanted_repositories, words
from gitsync.admin.views import Views
from gitsync.models import Repository, RepositoryState
from gitsync.models.visibility import sees_all
from gitsync.monitoring import health
from gitsync.repositories import causes, links
from kiok.checks import CheckStatus
from kiok.metadata.admin import display
from kiok.metadata.admin.display import Tone
from kiok.text import in_sentence

PAGE_SIZE = 100
LONG_FACT_CHARACTERS = 150  # a longer text spans both columns of a wide page
MEDIA = Media(
    css={"all": ["gitsync/overview.css"]},
    js=[Script("gitsync/overview.js", defer=True)],  # type: ignore[list-item]  # the stubs do not know Script
)
COLUMNS = ("Repository", "State", "Cause", "Last good commit", "DAGs", "Failed files", "Next check", "Action")
_HEALTH = {CheckStatus.OK: Tone.GOOD, CheckStatus.FAIL: Tone.BAD, CheckStatus.UNKNOWN: Tone.IDLE}


class OverviewViews(Views):
    """The page, and the endpoint that keeps it up to date."""

    def urls(self) -> list[URLPattern]:
        view = self.view
        return [
            path("overview/", view(self.page), name="gitsync_overview"),
            path("overview/status/", view(self.status), name="gitsync_overview_status"),
        ]

    def page(self, request: HttpRequest) -> HttpResponse:
        """Show a page of the matching repositories, the worst first. Takes a constant number of queries."""
        wanted, shown = self._shown(request)
        return self.framed(
            request,
            "admin/gitsync/overview.html",
            "Overview",
            media=self.admin.media + MEDIA,
            columns=COLUMNS,
            wanted=wanted,
            query=wanted.query(),
            may_add=self.admin.has_add_permission(request),
            states=[(state, word) for state, (_, word) in states.REPOSITORY.items()],
            status_url=f"{reverse('admin:gitsync_overview_status')}?{wanted.query(page=shown.number)}",
            **_now(request, wanted, shown),
        )

    def status(self, request: HttpRequest) -> HttpResponse:
        """Return what the page shows as JSON, or 304 if the client already has it (`If-None-Match`).

        The JSON is `{"busy": bool, "parts": {name: html}, "rows": [[key, [html of each column]]]}`.
        """
        wanted, shown = self._shown(request)
        answer = JsonResponse(_now(request, wanted, shown))
        etag = f'"{hashlib.sha256(answer.content).hexdigest()[:32]}"'
        if request.headers.get("If-None-Match") == etag:
            return HttpResponseNotModified(headers={"ETag": etag})
        answer["ETag"] = etag
        return answer

    def _shown(self, request: HttpRequest) -> tuple[OverviewFilter, Page[Any]]:
        self.require_view(request)
        wanted = OverviewFilter.of(request)
        found = Paginator(wanted_repositories(request.user, wanted), PAGE_SIZE)
        return wanted, found.get_page(request.GET.get("page"))


def _now(request: HttpRequest, wanted: OverviewFilter, shown: Page[Any]) -> dict[str, Any]:
    """Return the page's parts and rows; see `OverviewViews.status`."""
    repositories = list(shown)
    links.load_senders(repositories)
    syncs = progress.under_way(repositories)
    rows = [[row.pk, _row(request, row, syncs.get(row.pk))] for row in repositories]
    stands = standing(request.user)
    parts = {
        "summary": words(stands.by_state),
        "steps": first_steps.shown(request.user, stands.repositories, stands.dags),
        "totals": _totals(stands, health.facts(names_repositories=sees_all(request.user))),
        "pages": render_to_string(
            "gitsync/overview_pages.html",
            {"page": shown, "query": wanted.query(), "is_any": stands.repositories > 0},
        ),
    }
    return {"busy": stands.is_busy, "parts": parts, "rows": rows}


def _row(request: HttpRequest, repository: Any, sync: Any) -> list[str]:
    """Return a repository's cells as HTML, in the order of the columns."""
    state = states.repository_state(repository)
    if sync and states.is_claimed(repository):
        state = format_html("{} {}", state, progress.bar(sync, repository.name))
    columns = (
        display.link(display.page_of("gitsync_repository", repository.pk), repository.name),
        state,
        _cause(repository),
        _good(repository),
        _dags(repository.n_dags, repository.n_stale),
        _failed(request, repository),
        panel.next_check(repository),
        _sync_button(request, repository),
    )
    return [conditional_escape(column) for column in columns]


def _cause(repository: Any) -> str:
    """Return what is wrong in a line, and in a second one what is still served."""
    if repository.is_paused:
        return display.shortened(repository.pause_reason, 80)
    if not repository.reason:
        return display.NOTHING
    cause = _why(repository)
    if not (repository.n_dags and repository.last_good_commit):
        return cause
    served = f"{repository.n_dags} DAG{'s' if repository.n_dags != 1 else ''} still served at"
    commit = display.commit(repository.last_good_commit)
    return format_html("{}<br>{} {}", cause, served, commit)


def _why(repository: Repository) -> str:
    """Return the cause of a failure in a few words; hovering shows the whole message."""
    cause = ""
    if repository.state == RepositoryState.FAILING:
        cause = causes.cause(repository, repository.reason, repository.message)
    if not cause:
        return display.shortened(repository.message or repository.reason, 100)
    return format_html('<span title="{}">{}</span>', repository.message[:1000], cause)


def _sync_button(request: HttpRequest, repository: Repository) -> str:
    """Return a button of the page's form for syncs; nothing if the repository cannot be synced by this user."""
    if repository.is_paused or not repository.enabled or not may_sync(request.user):
        return ""
    return format_html(
        '<button type="submit" class="kiok-copy" form="overview-sync" formaction="{}" aria-label="Sync {}">Sync</button>',
        *(reverse("admin:gitsync_repository_sync", args=[repository.pk]), repository.name),
    )


def _good(repository: Repository) -> str:
    if not repository.last_good_commit:
        return display.NOTHING
    commit = git_links.commit(repository, repository.last_good_commit)
    return format_html("{} {}", commit, display.age(repository.last_good_at))


def _dags(number: int, stale: int) -> str:
    return format_html("{} {}", number, display.badge(Tone.WARN, f"{stale} stale")) if stale else str(number)


def _failed(request: HttpRequest, repository: Any) -> str:
    if not repository.n_failed:
        return "0"
    number = display.badge(Tone.BAD, str(repository.n_failed))
    if not request.user.has_perm(errors.MAY_VIEW):
        return number
    return display.link(errors.page_of_errors(repository.name), number)


def _totals(stands: Standing, of_installation: Sequence[health.HealthResult]) -> str:
    """Return the totals as HTML: repositories by state, DAGs, failed files, health of the installation."""
    failed = display.badge(Tone.BAD, str(stands.failed_files)) if stands.failed_files else "0"
    by_state = [
        (
            f"?{OverviewFilter(state=state).query()}",
            display.badge(states.REPOSITORY[state][0], f"{number} {in_sentence(word)}"),
        )
        for state, number in stands.by_state.items()
        for word in [states.REPOSITORY[state][1]]
    ]
    facts = [
        (
            fact.name,
            display.badge(_HEALTH[fact.status], fact.word),
            fact.detail,
            len(fact.detail) > LONG_FACT_CHARACTERS,
        )
        for fact in of_installation
    ]
    return render_to_string(
        "gitsync/overview_totals.html",
        {
            "number": stands.repositories,
            "by_state": by_state,
            "dags": _dags(stands.dags, stands.stale),
            "failed": failed,
            "facts": facts,
        },
    )
