"""Admin pages for administrators: the task queue and the audit log; `gitsync.admin.accounts` has users and groups.

They name repositories of every group, and a user who may change accounts can grant itself any permission.
Each page therefore requires `view_all_repositories` in addition to its own permission.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest
from django_q.admin import FailAdmin, QueueAdmin, ScheduleAdmin, TaskAdmin
from django_q.models import Failure, OrmQ, Schedule, Success

from gitsync.models.visibility import sees_all
from kiok.metadata.admin import display
from kiok.metadata.admin.read_only import ReadOnly, ReadOnlyAdmin

admin.site.unregister([Success, Failure, Schedule, OrmQ])


class ForAdministrators:
    """A mixin that denies everything to users who do not see all repositories."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)  # type: ignore[misc]  # of the ModelAdmin it is mixed into
        return rows if sees_all(request.user) else rows.none()

    def has_module_permission(self, request: HttpRequest) -> bool:
        return _may(request, super().has_module_permission(request))  # type: ignore[misc]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _may(request, super().has_view_permission(request, obj))  # type: ignore[misc]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return _may(request, super().has_add_permission(request))  # type: ignore[misc]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _may(request, super().has_change_permission(request, obj))  # type: ignore[misc]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _may(request, super().has_delete_permission(request, obj))  # type: ignore[misc]


def _may(request: HttpRequest, otherwise: bool) -> bool:
    return otherwise and sees_all(request.user)


class QueuePages(ForAdministrators, ReadOnly):
    """Read-only pages of the queue's tables, for superusers too.

    django-q2's own pages let a user enqueue any function: with a schedule, or with the action that reruns a task.
    """

    actions = None


@admin.register(Success)
class DoneTasks(QueuePages, TaskAdmin):  # type: ignore[misc]  # django-q2 has no types
    """The tasks that succeeded."""


@admin.register(Failure)
class FailedTasks(QueuePages, FailAdmin):  # type: ignore[misc]
    """The tasks that raised an exception."""


@admin.register(Schedule)
class Schedules(QueuePages, ScheduleAdmin):  # type: ignore[misc]
    """The schedules of the task queue."""

    list_filter = ("schedule_type", "cluster")


@admin.register(OrmQ)
class QueuedTasks(QueuePages, QueueAdmin):  # type: ignore[misc]
    """The tasks that wait in the queue."""


@admin.register(LogEntry)
class Log(ForAdministrators, ReadOnlyAdmin):
    """The audit log: who did what, in the admin or over the API. It is read-only.

    Deleting an account would delete its entries, so an account that has entries can only be deactivated.
    """

    list_display = ("action_time", "user", "content_type", "object_repr", "action", "message")
    list_display_links = ("action_time",)
    list_filter = ("action_flag", "content_type")
    list_select_related = ("user", "content_type")
    search_fields = ("object_repr", "change_message", "user__username")
    fields = ("action_time", "user", "content_type", "object_id", "object_repr", "action", "message")

    @admin.display(description="action", ordering="action_flag")
    def action(self, entry: LogEntry) -> str:
        return str(entry.get_action_flag_display())

    @admin.display(description="message")
    def message(self, entry: LogEntry) -> str:
        return display.shortened(entry.get_change_message(), 1000)
