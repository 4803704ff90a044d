"""The pages of those who run the service: accounts, groups, the queue, and the log of what was done.

They name repositories of every group, and whoever may change accounts can make itself anything, so each takes
`view_all_repositories` besides the page's own permission.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest
from django_q.admin import FailAdmin, QueueAdmin, ScheduleAdmin, TaskAdmin
from django_q.models import Failure, OrmQ, Schedule, Success

from gitsync.access import sees_all
from kiok.metadata.admin import display
from kiok.metadata.admin.read_only import ReadOnly, ReadOnlyAdmin

admin.site.unregister([User, Group, Success, Failure, Schedule, OrmQ])


class ForAdministrators:
    """Denies everything to whoever does not see all repositories."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)  # type: ignore[misc]  # of the admin beside it
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


@admin.register(User)
class Users(ForAdministrators, UserAdmin):  # type: ignore[type-arg]  # generic only in the stubs
    """Accounts."""


@admin.register(Group)
class Groups(ForAdministrators, GroupAdmin):
    """Who sees which repositories is by group."""


class QueuePages(ForAdministrators, ReadOnly):
    """Pages of the queue's tables, which show and change nothing, not even for a superuser.

    django-q2's own pages let a user enqueue any function: by a schedule, or by the action that runs a task again.
    """

    actions = None


@admin.register(Success)
class DoneTasks(QueuePages, TaskAdmin):  # type: ignore[misc]  # django-q2 has no types
    """The queue's tasks that ended."""


@admin.register(Failure)
class FailedTasks(QueuePages, FailAdmin):  # type: ignore[misc]
    """The queue's tasks that raised."""


@admin.register(Schedule)
class Schedules(QueuePages, ScheduleAdmin):  # type: ignore[misc]
    """The queue's schedules."""


@admin.register(OrmQ)
class QueuedTasks(QueuePages, QueueAdmin):  # type: ignore[misc]
    """The queue's tasks that wait."""


@admin.register(LogEntry)
class Log(ForAdministrators, ReadOnlyAdmin):
    """Who did what, in the admin or over the API. Nobody can change it there.

    So an account that did something cannot be deleted, which would delete its entries: it is deactivated.
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
