"""The list filters by repository, format and git service, and those of the repository list: by pause, group and reason.

None of them offers what the user may not see.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from compilers.formats import FORMATS
from gitsync.access import assignable_groups
from gitsync.git_services.registry import SERVICES
from gitsync.models import Repository
from gitsync.models.visibility import sees_all
from kiok.metadata.admin.filters import YesNoFilter
from kiok.metadata.admin.list_controls import ListControl

MANY = 30  # with more repositories a text field replaces the selection
NAME = "repository"


class RepositoryFilter(admin.SimpleListFilter):
    """A filter for the rows of one repository: by key, as pages link to it, or by name."""

    title = "repository"
    parameter_name = "repository__id__exact"

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        given: Any = params.pop(NAME, None)
        self.name = str(given[-1]) if given else ""
        super().__init__(request, params, model, model_admin)
        self.is_many = len(self.lookup_choices) > MANY

    def expected_parameters(self) -> list[str | None]:
        return [self.parameter_name, NAME]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        named = Repository.objects.visible_to(request.user).order_by("name").values_list("pk", "name")
        return [(str(pk), name) for pk, name in named[: MANY + 1]]

    def control(self) -> ListControl | None:
        """Return a text field for the full name if there are many repositories."""
        return ListControl(NAME, "Repository (full name)", self.name) if self.is_many else None

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        if self.name:
            return queryset.filter(repository__in=Repository.objects.filter(name=self.name).values("pk"))
        value = self.value()
        return queryset.filter(repository=value) if value and value.isdecimal() else queryset


class KnownValueFilter(admin.SimpleListFilter):
    """A filter by a column whose values are known, so that they are not read from all rows. A subclass sets `values`."""

    values: ClassVar[tuple[str, ...]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return [(value, value) for value in self.values]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        value = self.value()
        return queryset.filter(**{str(self.parameter_name): value}) if value else queryset


class FormatFilter(KnownValueFilter):
    """A filter for files of one format."""

    title = "kind"
    parameter_name = "kind"
    values = tuple(FORMATS)


class ServiceFilter(KnownValueFilter):
    """A filter for webhook deliveries of one git service."""

    title = "service"
    parameter_name = "service"
    values = tuple(service.name for service in SERVICES)


class PausedFilter(YesNoFilter):
    """A filter for paused repositories, or those that are not paused."""

    title = "paused"
    parameter_name = "paused"
    condition = Q(paused_at__isnull=False)
    words = ("Paused", "Not paused")


class GroupFilter(admin.SimpleListFilter):
    """A filter for the repositories that a group sees. It offers the groups that the user may assign, and `none`."""

    title = "group"
    parameter_name = "group"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        groups = assignable_groups(request.user).order_by("name").values_list("pk", "name")
        named = [(str(pk), name) for pk, name in groups]
        return [*named, ("none", "no group")] if named and sees_all(request.user) else named

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value == "none":
            return queryset.filter(groups__isnull=True)
        if value and value.isascii() and value.isdecimal() and len(value) < 10:
            chosen = assignable_groups(request.user).filter(pk=value)
            return queryset.filter(pk__in=chosen.values("repositories"))
        return queryset


class ReasonFilter(admin.SimpleListFilter):
    """A filter for repositories with one reason of failure. It offers the reasons that occur."""

    title = "reason"
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        failing = Repository.objects.visible_to(request.user).exclude(reason="").order_by("reason")
        return [(reason, reason) for reason in failing.values_list("reason", flat=True).distinct()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        value = self.value() or ""
        return queryset.filter(reason=value) if value else queryset
