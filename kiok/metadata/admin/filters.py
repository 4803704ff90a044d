"""List filters: by one condition, by the age of a time, and those for DAGs, versions and runs.

Unlike a calendar day, an age is the same in every time zone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import CharField, F, Field, Func, Model, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from kiok.labels import tag_flaw
from kiok.metadata.admin.list_controls import ListControl
from kiok.metadata.admin.schedule_kinds import KINDS, of_kind
from kiok.metadata.models import Dag, RunState

NO_REPOSITORY = "-"  # the choice for DAGs without a repository; no repository can have this name
NO_OWNER = " -"  # the choice for DAGs without an owner; no owner begins with a space
MANY = 30  # with more choices a text field replaces the selection
SPANS = {
    "1h": ("past hour", timedelta(hours=1)),
    "1d": ("past 24 hours", timedelta(days=1)),
    "7d": ("past 7 days", timedelta(days=7)),
    "30d": ("past 30 days", timedelta(days=30)),
}
NEVER = "none"


class YesNoFilter(admin.SimpleListFilter):
    """A filter whose subclass sets the condition and the labels for both sides; the URL has `yes` or `no`."""

    condition: ClassVar[Q]
    words: ClassVar[tuple[str, str]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return list(zip(("yes", "no"), self.words, strict=True))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        wanted = {"yes": self.condition, "no": ~self.condition}.get(self.value() or "")
        return queryset if wanted is None else queryset.filter(wanted)


class SinceFilter(admin.FieldListFilter):
    """A filter for rows whose time is within a span up to now, or, for nullable fields, rows without a time.

    Use it as `list_filter = (("created_at", SinceFilter),)`. An unknown span filters nothing.
    """

    def __init__(
        self,
        field: Field[Any, Any],
        request: HttpRequest,
        params: dict[str, Any],
        model: type[Model],
        model_admin: Any,
        field_path: str,
    ) -> None:
        self.parameter = f"{field_path}_within"
        self._may_be_null = field.null
        super().__init__(field, request, params, model, model_admin, field_path)
        given: Any = self.used_parameters.get(self.parameter)
        self._value = given[-1] if given else None

    def expected_parameters(self) -> list[str | None]:
        return [self.parameter]

    def _words(self) -> dict[str, str]:
        return {key: word for key, (word, _) in SPANS.items()} | (
            {NEVER: "never"} if self._may_be_null else {}
        )

    def choices(self, changelist: Any) -> Iterator[Any]:
        yield {
            "selected": self._value not in self._words(),
            "query_string": changelist.get_query_string(remove=[self.parameter]),
            "display": "Any time",
        }
        for key, word in self._words().items():
            yield {
                "selected": self._value == key,
                "query_string": changelist.get_query_string({self.parameter: key}),
                "display": word.capitalize(),
            }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        if self._value in SPANS:
            began = timezone.now() - SPANS[self._value][1]
            return queryset.filter(**{f"{self.field_path}__gte": began})
        if self._value == NEVER and self._may_be_null:
            return queryset.filter(**{f"{self.field_path}__isnull": True})
        return queryset


class FreshnessFilter(YesNoFilter):
    """A filter for stale DAGs, or those that match their files."""

    title = "state"
    parameter_name = "stale"
    condition = Q(stale_since__isnull=False)
    words = ("Stale", "Current")


class LastRunFilter(admin.SimpleListFilter):
    """A filter for DAGs by the state of their last run. The rows are annotated with `last_run_state`."""

    title = "last run"
    parameter_name = "last_run"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return [*((state.value, str(state.label)) for state in RunState), (NEVER, "Never ran")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        wanted = self.value()
        if wanted == NEVER:
            return queryset.filter(last_run_state__isnull=True)
        return queryset.filter(last_run_state=wanted) if wanted in RunState else queryset


class ScheduleFilter(admin.SimpleListFilter):
    """A filter for DAGs with a schedule, or with one of a usual kind, or those that are only started manually."""

    title = "schedule"
    parameter_name = "scheduled"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        kinds = [(kind.key, kind.label) for kind in KINDS]
        return [("yes", "any schedule"), *kinds, ("other", "another schedule"), ("no", "manual only")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        wanted = of_kind(self.value() or "")
        return queryset if wanted is None else queryset.filter(wanted)


class WordFilter(admin.SimpleListFilter):
    """A filter for DAGs by a word. It offers the words of the DAGs that the user may see, or a text field if they are many.

    A subclass sets `many_title`, the label of the text field, and returns the words in order from `words`.
    """

    many_title: ClassVar[str]

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        self.is_many = False
        super().__init__(request, params, model, model_admin)

    def words(self, dags: QuerySet[Any]) -> QuerySet[Any, str]:
        raise NotImplementedError

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        found = list(self.words(Dag.objects.order_by().visible_to(request.user))[: MANY + 1])
        self.is_many = len(found) > MANY
        wanted = request.GET.get(str(self.parameter_name))
        if wanted and wanted not in found:
            found.append(wanted)  # the active choice is always listed
        return [(word, word) for word in found]

    def control(self) -> ListControl | None:
        """Return a text field for the whole word if there are many words."""
        name = str(self.parameter_name)
        return ListControl(name, self.many_title, self.value() or "") if self.is_many else None


class RepositoryNameFilter(WordFilter):
    """A filter for the rows of one repository, or of none. It offers the repositories of the DAGs that the user may see."""

    title = "repository"
    parameter_name = "repository"
    many_title = "Repository (full name)"

    def words(self, dags: QuerySet[Any]) -> QuerySet[Any, str]:
        return dags.order_by("repository").values_list("repository", flat=True).distinct()

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        names = [name for name, _ in super().lookups(request, model_admin)]
        return [(name or NO_REPOSITORY, name or "no repository") for name in names if name != NO_REPOSITORY]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        wanted = self.value()
        if not wanted:
            return queryset
        return queryset.filter(repository="" if wanted == NO_REPOSITORY else wanted)


class OwnerFilter(WordFilter):
    """A filter for the DAGs of one owner, or those without an owner."""

    title = "owner"
    parameter_name = "owner"
    many_title = "Owner (full name)"

    def words(self, dags: QuerySet[Any]) -> QuerySet[Any, str]:
        return dags.exclude(owner="").order_by("owner").values_list("owner", flat=True).distinct()

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        named = [choice for choice in super().lookups(request, model_admin) if choice[0] != NO_OWNER]
        is_wanted = request.GET.get(self.parameter_name) == NO_OWNER
        return [*named, (NO_OWNER, "no owner")] if named or is_wanted else named

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        wanted = self.value()
        if not wanted:
            return queryset
        return queryset.filter(owner="" if wanted == NO_OWNER else wanted)


class TagFilter(WordFilter):
    """A filter for the DAGs that have one tag."""

    title = "tag"
    parameter_name = "tag"
    many_title = "Tag (full name)"

    def words(self, dags: QuerySet[Any]) -> QuerySet[Any, str]:
        tag = Func(F("tags"), function="unnest", output_field=CharField())
        rows: QuerySet[Any, str] = dags.annotate(word=tag).order_by("word").values_list("word", flat=True)
        return rows.distinct()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        wanted = self.value()
        if not wanted:
            return queryset
        return queryset.none() if tag_flaw(wanted) else queryset.filter(tags__contains=[wanted])
