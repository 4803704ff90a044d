"""DAGs in the admin: the current definition, its provenance, earlier versions and runs."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode

from kiok.metadata import time_zones
from kiok.metadata.admin import (
    comparison,
    dag_actions,
    dag_totals,
    dag_warnings,
    definition,
    display,
    list_cells,
    provenance,
    run_history,
    schedule,
)
from kiok.metadata.admin.display import Tone
from kiok.metadata.admin.filters import (
    FreshnessFilter,
    LastRunFilter,
    OwnerFilter,
    RepositoryNameFilter,
    ScheduleFilter,
    TagFilter,
)
from kiok.metadata.admin.schedule_kinds import short_words
from kiok.metadata.admin.tabs import TabbedAdmin
from kiok.metadata.admin.task_runs import run_state
from kiok.metadata.last_run import with_last_run
from kiok.metadata.models import UID_LENGTH, Dag, Origin, RunState

# The order of the list: what needs attention first.
TROUBLE = Case(
    When(stale_since__isnull=False, then=Value(0)),
    When(last_run_state=RunState.FAILED, then=Value(1)),
    default=Value(2),
    output_field=IntegerField(),
)

# The tabs of a DAG's page: name and necessary permission.
TABS = {
    "graph": ("Graph", ""),
    "tasks": ("Tasks", ""),
    "runs": ("Runs", "metadata.view_dagrun"),
    "versions": ("Versions", "metadata.view_dagversion"),
    "source": ("Source", ""),
    "details": ("Details", ""),
}


@admin.register(Dag)
class DagAdmin(TabbedAdmin):
    gone_template = "admin/metadata/dag/gone.html"
    list_display = ("dag", "owner", "tag_words", "state", "short_schedule", "next_run", "last_run")
    list_filter = (
        *(RepositoryNameFilter, OwnerFilter, TagFilter),
        *(FreshnessFilter, LastRunFilter, ScheduleFilter),
    )
    search_fields = ("uid", "dag_id", "name", "description", "owner")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    *("unique_id", "dag_id", "name", "description", "owner_link", "tag_links"),
                    *("cron", "next_fire_times", "version", "freshness"),
                )
            },
        ),
        (
            "Provenance",
            {
                "fields": (
                    *("origin", "repository_link", "source_link", "commit", "image_digest"),
                    *("spec_hash", "created_at", "updated_at"),
                )
            },
        ),
    )

    def get_ordering(self, request: HttpRequest) -> tuple[Any, ...]:  # noqa: ARG002
        """Return the order: DAGs that are stale, then those whose last run failed, then the others."""
        return (TROUBLE.asc(), "uid")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return with_last_run(Dag.objects.visible_to(request.user).defer("spec", "source"))

    # The list.

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Return the actions of other apps that the user may use. Without any, the list has no check boxes."""
        return dag_actions.offered_to(request.user)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Return the list with the time zone of each DAG on the page, read in one query."""
        page = super().get_changelist_instance(request)
        page.result_list = list(page.result_list)
        zones = time_zones.of_dags(page.result_list)
        for dag in page.result_list:
            dag.zone = zones.get(dag.uid, time_zones.DEFAULT)
        return page

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show the list with the totals of the DAGs that the user may see."""
        totals = (
            dag_totals.of(self.get_queryset(request), request.GET)
            if self.has_view_permission(request)
            else []
        )
        return super().changelist_view(request, {**(extra_context or {}), "totals": totals})

    @admin.display(description="DAG", ordering="uid")
    def dag(self, dag: Dag) -> str:
        return list_cells.dag_cell(dag.repository, dag.source_path, dag.name)

    @admin.display(description="tags")
    def tag_words(self, dag: Dag) -> str:
        return ", ".join(dag.tags) or display.NOTHING

    @admin.display(description="state", ordering="stale_since")
    def state(self, dag: Dag) -> str:
        if dag.stale_since is None:
            return display.badge(Tone.GOOD, "Current")
        since = format_html("since {}", display.short_age(dag.stale_since))
        return list_cells.two_lines(display.badge(Tone.WARN, "Stale"), since, (dag.stale_reason or "")[:300])

    @admin.display(description="schedule", ordering="schedule")
    def short_schedule(self, dag: Dag) -> str:
        if not dag.schedule:
            return "manual only"
        zone = _zone(dag)
        written = dag.schedule[:300] + _in_zone(zone)
        return format_html('<span title="{}">{}</span>', written, short_words(dag.schedule, zone)[:100])

    @admin.display(description="next run")
    def next_run(self, dag: Dag) -> str:
        times = schedule.next_times(dag.schedule, timezone.now(), 1, _zone(dag)) if dag.schedule else []
        return display.age(times[0] if times else None)

    @admin.display(description="last run", ordering="last_run_at")
    def last_run(self, dag: Any) -> str:
        if not dag.last_run_state:
            return display.NOTHING
        return list_cells.two_lines(run_state(dag.last_run_state), display.short_age(dag.last_run_at))

    # One DAG.

    @admin.display(description="unique id")
    def unique_id(self, dag: Dag) -> str:
        # Without the field's help text, which the admin would render as HTML.
        return display.copyable(dag.uid)

    @admin.display(description="owner", ordering="owner")
    def owner_link(self, dag: Dag) -> str:
        if not dag.owner:
            return display.NOTHING
        named = dag.origin != Origin.GIT or (isinstance(dag.spec, dict) and "owner" in dag.spec)
        return format_html("{}{}", _filtered("owner", dag.owner), "" if named else " (of the repository)")

    @admin.display(description="tags")
    def tag_links(self, dag: Dag) -> str:
        links = ((_filtered("tag", tag),) for tag in dag.tags)
        return format_html_join(", ", "{}", links) or display.NOTHING

    @admin.display(description="repository", ordering="repository")
    def repository_link(self, dag: Dag) -> str:
        return provenance.repository(dag.repository)

    @admin.display(description="source path")
    def source_link(self, dag: Dag) -> str:
        return provenance.source(dag.repository, dag.commit_sha, dag.source_path)

    @admin.display(description="commit")
    def commit(self, dag: Dag) -> str:
        return display.copyable(dag.commit_sha)

    @admin.display(description="schedule", ordering="schedule")
    def cron(self, dag: Dag) -> str:
        if not dag.schedule:
            return "manual only"
        return format_html("<code>{}</code>{}", dag.schedule, _in_zone(_zone(dag)))

    @admin.display(description="fire times")
    def next_fire_times(self, dag: Dag) -> str:
        if not dag.schedule:
            return display.NOTHING
        words = schedule.in_words(dag.schedule)
        zone = _zone(dag)
        times = schedule.next_times(dag.schedule, timezone.now(), zone=zone)
        if not times:
            return f"{words}; it never fires." if words else "It never fires."
        return format_html(
            '{}<ol class="kiok-times" aria-label="Next times">{}</ol>',
            f"{words}. Next, in {zone}:" if words else f"Next, in {zone}:",
            format_html_join(
                "",
                '<li><time datetime="{}">{}</time> ({})</li>',
                (
                    (
                        time.isoformat(),
                        time.astimezone(ZoneInfo(zone)).strftime("%a %Y-%m-%d %H:%M"),
                        display.age(time),
                    )
                    for time in times
                ),
            ),
        )

    @admin.display(description="freshness", ordering="stale_since")
    def freshness(self, dag: Dag) -> str:
        if dag.stale_since is None:
            return display.badge(Tone.GOOD, "Current")
        return format_html(
            "{} {} {}",
            display.badge(Tone.WARN, "Stale"),
            display.age(dag.stale_since),
            display.shortened(dag.stale_reason, 200),
        )

    def title(self, obj: Dag) -> str:
        return obj.name

    def subtitle(self, obj: Dag) -> str:
        return obj.uid

    def tab_names(self, user: Any) -> dict[str, str]:
        return {
            key: name
            for key, (name, permission) in TABS.items()
            if not permission or user.has_perm(permission)
        }

    def tab_context(self, request: HttpRequest, obj: Dag, tab: str) -> dict[str, Any]:
        if tab == "runs":
            return run_history.of(obj.uid, request.user)
        if tab == "versions":
            return comparison.of(obj.uid, request.user, request.GET)
        return definition.part(tab, obj.spec, obj.source, obj.source_path)

    def details(self, request: HttpRequest, obj: Dag) -> dict[str, Any]:
        return {**super().details(request, obj), "warnings": dag_warnings.shown(obj.repository, obj.spec)}

    def summary(self, dag: Dag) -> list[tuple[str, str]]:
        shown = [
            ("State", self.freshness(dag)),
            ("Schedule", self.short_schedule(dag)),
            ("Next run", self.next_run(dag)),
            ("Last run", self.last_run(dag)),
            ("Owner", self.owner_link(dag)),
            ("Tags", self.tag_links(dag)),
            ("Version", str(dag.version)),
            ("Repository", self.repository_link(dag)),
            ("Commit", display.commit(dag.commit_sha)),
        ]
        return [(label, value) for label, value in shown if value != display.NOTHING]

    def _get_obj_does_not_exist_redirect(
        self, request: HttpRequest, opts: Any, object_id: str
    ) -> HttpResponse:
        """Show the history of a DAG that is no longer registered: its versions and runs outlive it."""
        uid = unquote(object_id)
        history = _history(request, uid) if len(uid) <= UID_LENGTH else {}
        if not (history.get("versions") or history.get("runs")):
            return super()._get_obj_does_not_exist_redirect(request, opts, object_id)  # type: ignore[no-any-return, misc]
        context = {
            **self.admin_site.each_context(request),
            "title": "Unregistered DAG",
            "subtitle": None,
            "opts": opts,
            "uid": uid,
            "media": self.media,
            **history,
        }
        return TemplateResponse(request, self.gone_template, context)

    class Media:
        css = {"all": ["kiok/dag.css"]}


def _zone(dag: Any) -> str:
    """Return the time zone of a DAG; the list has read it for all its DAGs."""
    return str(getattr(dag, "zone", None) or time_zones.of_spec(dag.spec))


def _in_zone(zone: str) -> str:
    return "" if zone == time_zones.DEFAULT else f" ({zone})"


def _filtered(name: str, value: str) -> str:
    """Return a value as a link to the list of the DAGs that have it."""
    return display.link(f"{reverse('admin:metadata_dag_changelist')}?{urlencode({name: value})}", value)


def _history(request: HttpRequest, uid: str) -> dict[str, Any]:
    """Return the versions and runs of a DAG, registered or not, that the user may see."""
    return comparison.of(uid, request.user, request.GET) | run_history.of(uid, request.user)
