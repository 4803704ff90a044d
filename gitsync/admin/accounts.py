"""Users and groups in the admin. A group is a role, which gives permissions, or a team, which owns repositories."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest

from gitsync.admin.account_forms import ChangedUserForm, GroupForm, NewUserForm
from gitsync.admin.administration import ForAdministrators
from gitsync.models import Repository
from kiok.metadata.admin import display
from kiok.metadata.admin.filters import YesNoFilter

admin.site.unregister([User, Group])

SHOWN_NAMES = 80  # characters of names in a cell


@admin.register(User)
class Users(ForAdministrators, UserAdmin):  # type: ignore[type-arg]  # generic only in the stubs
    """The pages of accounts. A user's page sets what the user may do (roles) and sees (teams)."""

    form = ChangedUserForm
    add_form = NewUserForm
    list_display = ("username", "email", "roles", "teams", "is_staff")
    list_filter = ("is_staff", "is_superuser", "is_active", "groups")
    filter_horizontal = ("user_permissions",)
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Access", {"fields": ("is_active", "is_staff", "is_superuser", "roles", "groups", "sees")}),
        ("Personal info", {"fields": ("first_name", "last_name", "email")}),
        (
            "Further permissions",
            {"classes": ("collapse",), "fields": ("user_permissions",)},
        ),
        ("Important dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (
            None,
            {
                "classes": ("wide",),
                "fields": ("username", "usable_password", "password1", "password2"),
            },
        ),
        ("Access", {"fields": ("is_staff", "roles", "groups")}),
    )
    readonly_fields = ("sees",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("groups__role")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the parts of the page. Without a form it shows roles and teams by functions, not all groups together."""
        parts = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return parts
        return [
            (title, {**part, "fields": ["teams" if name == "groups" else name for name in part["fields"]]})
            for title, part in parts
        ]

    @admin.display(description="roles")
    def roles(self, user: User) -> str:
        return _names(group.name for group in user.groups.all() if hasattr(group, "role"))

    @admin.display(description="teams")
    def teams(self, user: User) -> str:
        return _names(group.name for group in user.groups.all() if not hasattr(group, "role"))

    @admin.display(description="Sees")
    def sees(self, user: User) -> str:
        """Return the repositories that the user sees now, as stored."""
        if user.is_active and user.has_perm("gitsync.view_all_repositories"):
            return "all repositories"
        return _names(Repository.objects.visible_to(user).order_by("name").values_list("name", flat=True))


class RoleFilter(YesNoFilter):
    """A filter for roles, or teams."""

    title = "kind"
    parameter_name = "role"
    condition = Q(role__isnull=False)
    words = ("role", "team")


@admin.register(Group)
class Groups(ForAdministrators, GroupAdmin):
    """The pages of teams and roles."""

    form = GroupForm
    fields = ("name", "kind", "owned_repositories", "permissions")
    list_display = ("name", "kind", "members", "owned")
    list_filter = (RoleFilter,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request).select_related("role")
        counted: QuerySet[Any] = rows.annotate(
            n_members=Count("user", distinct=True), n_repositories=Count("repositories", distinct=True)
        )
        return counted

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        form.save_kind()

    @admin.display(description="kind")
    def kind(self, group: Group) -> str:
        return "role" if hasattr(group, "role") else "team"

    @admin.display(description="members", ordering="n_members")
    def members(self, group: Any) -> int:
        return int(group.n_members)

    @admin.display(description="repositories", ordering="n_repositories")
    def owned(self, group: Any) -> int:
        return int(group.n_repositories)

    @admin.display(description="repositories")
    def owned_repositories(self, group: Group) -> str:
        """Return the names for a page without a form."""
        return _names(group.repositories.order_by("name").values_list("name", flat=True))


def _names(names: Any) -> str:
    return display.shortened(", ".join(sorted(names)), SHOWN_NAMES)
