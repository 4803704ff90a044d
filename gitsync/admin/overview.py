"""The front page: how every repository stands, at a glance, kept up to date while it is looked at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.core.paginator import Page, Paginator
from django.db.models import Case, CharField, Count, F, Q, Value, When
from django.db.models.functions import Now
from django.forms import Media, Script
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from gitsync.access import visible, visible_repositories
from gitsync.admin import errors, panel, states
from gitsync.admin.records import counted_repositories
from gitsync.admin.sync_status import NO_WORKER
from gitsync.conf import properties
from gitsync.models import FileState, Leadership, Repository, SourceFile
from kiok.metadata import access
from kiok.metadata.admin import cells
from kiok.metadata.admin.cells import Tone
from kiok.metadata.models import Dag, Origin

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

PAGE_SIZE = 100
SCRIPT = Media(js=[Script("gitsync/overview.js", defer=True)])  # type: ignore[list-item]  # the stubs know none
COLUMNS = ("State", "Reason", "Last good commit", "DAGs", "Failed files", "Next check")


class OverviewViews:
    """The page and what keeps it up to date, added to the urls of the repositories' admin."""

    def __init__(self, model_admin: ModelAdmin[Repository]) -> None:
        self._admin = model_admin

    def urls(self) -> list[URLPattern]:
        view = self._admin.admin_site.admin_view
        return [
            path("overview/", view(self.page), name="gitsync_overview"),
            path("overview/status/", view(self.status), name="gitsync_overview_status"),
        ]

    def page(self, request: HttpRequest) -> HttpResponse:
        """All repositories by name, a page of them. A constant number of queries."""
        shown = self._shown(request)
        rows = [(row, _row(request, row)) for row in shown]
        context = {
            **self._admin.admin_site.each_context(request),
            "title": "Overview",
            "opts": self._admin.opts,
            "media": self._admin.media + SCRIPT,
            "columns": COLUMNS,
            "totals": _totals(request.user),
            "rows": [
                {
                    "name": row.name,
                    "url": cells.page_of("gitsync_repository", row.pk),
                    "cells": [(_key(row, column), html) for column, html in row_cells.items()],
                }
                for row, row_cells in rows
            ],
            "page": shown,
            "status_url": f"{reverse('admin:gitsync_overview_status')}?page={shown.number}",
        }
        return TemplateResponse(request, "admin/gitsync/overview.html", context)

    def status(self, request: HttpRequest) -> HttpResponse:
        """`{"cells": {key: html}}`: what the page shows, by the keys of its cells."""
        found = {
            _key(row, column): html
            for row in self._shown(request)
            for column, html in _row(request, row).items()
        }
        return JsonResponse({"cells": {"totals": _totals(request.user), **found}})

    def _shown(self, request: HttpRequest) -> Page[Any]:
        if not self._admin.has_view_permission(request):
            raise PermissionDenied
        repositories = counted_repositories(visible_repositories(request.user).order_by("name"))
        return Paginator(repositories, PAGE_SIZE).get_page(request.GET.get("page"))


def _key(repository: Repository, column: str) -> str:
    return f"{repository.pk}.{column}"


def _row(request: HttpRequest, repository: Any) -> dict[str, str]:
    """The cells of a repository in the order of the columns; html."""
    return {
        "state": states.repository_state(repository),
        "reason": _reason(repository),
        "good": format_html(
            "{} {}", cells.commit(repository.last_good_commit), cells.age(repository.last_good_at)
        )
        if repository.last_good_commit
        else cells.NOTHING,
        "dags": _dags(repository.n_dags, repository.n_stale),
        "failed": _failed(request, repository),
        "next": panel.next_check(repository),
    }


def _reason(repository: Repository) -> str:
    if not repository.reason:
        return cells.NOTHING
    return format_html('<code title="{}">{}</code>', repository.message[:1000], repository.reason)


def _dags(number: int, stale: int) -> str:
    return format_html("{} {}", number, cells.badge(Tone.WARN, f"{stale} stale")) if stale else str(number)


def _failed(request: HttpRequest, repository: Any) -> str:
    if not repository.n_failed:
        return "0"
    number = cells.badge(Tone.BAD, str(repository.n_failed))
    if not request.user.has_perm(errors.MAY_VIEW):
        return number
    return cells.link(errors.page_of_errors(repository.name), number)


def _totals(user: Any) -> str:
    """Repositories by how they stand, DAGs, failed files and the leader; html. Four queries."""
    dags = access.visible(Dag.objects.filter(origin=Origin.GIT), user).aggregate(
        number=Count("pk"), stale=Count("pk", filter=Q(stale_since__isnull=False))
    )
    failed = visible(SourceFile.objects.filter(state=FileState.FAILED), user).count()
    facts: Iterable[tuple[str, Any]] = (
        ("Repositories", _by_state(user)),
        ("DAGs", _dags(dags["number"], dags["stale"])),
        ("Failed files", cells.badge(Tone.BAD, str(failed)) if failed else 0),
        ("Leader", _leader()),
    )
    return render_to_string("gitsync/overview_totals.html", {"facts": facts})


def _by_state(user: Any) -> str:
    """As `states.repository_state` has it of one."""
    is_claimed = Q(lease_expires_at__gt=Now()) & ~Q(lease_holder="")
    shown = Case(
        When(enabled=False, then=Value(states.SWITCHED_OFF)),
        When(paused_at__isnull=False, then=Value(states.PAUSED)),
        When(is_claimed, then=Value(states.SYNCING)),
        default=F("state"),
        output_field=CharField(),
    )
    counted = visible_repositories(user).order_by().values(shown=shown).annotate(number=Count("pk"))
    numbers = {row["shown"]: row["number"] for row in counted}
    badges = [
        cells.badge(tone, f"{numbers[state]} {word}")
        for state, (tone, word) in states.REPOSITORY.items()
        if state in numbers
    ]
    return format_html("{}" + " {}" * len(badges), sum(numbers.values()), *badges)


def _leader() -> str:
    if not properties().gitsync_enabled:
        return format_html("{} kiok.gitsync.enabled is false.", cells.badge(Tone.IDLE, "switched off"))
    alive = Leadership.objects.filter(pk=1, expires_at__gt=Now()).exclude(holder="").first()
    if alive is None:
        return format_html("{} {}", cells.badge(Tone.BAD, "none"), NO_WORKER)
    return format_html("{} {}", cells.badge(Tone.GOOD, "alive"), alive.holder)
