"""The forms of users and groups: a user gets roles and teams, a team gets repositories, a role gets permissions."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin.widgets import FilteredSelectMultiple
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import QuerySet
from django.utils.html import format_html
from django.utils.safestring import SafeString

from gitsync.admin.notification_channel_form import LongSelectMultiple
from gitsync.models import Repository, Role
from gitsync.models.role import IS_ROLE, IS_TEAM
from kiok.notifications.models import NotificationChannel

ROLES_HELP = (
    "What the user may do. The permissions of several roles add up. A user needs “Staff status” to log in."
)
TEAMS_HELP = "What the user sees: the repositories of these teams, with their DAGs, runs, errors and syncs."
STILL_OWNS = (
    "A role owns no repositories or notification channels and has no grants of connections, but the group has some: {}. "
    "Remove them first."
)


class TeamSelection(FilteredSelectMultiple):
    """Two lists of teams. The script puts them at the start of the element around the widget, before a label in it."""

    def __init__(self) -> None:
        super().__init__("teams", is_stacked=False)

    def render(self, *args: Any, **options: Any) -> SafeString:
        return format_html('<div class="related-widget-wrapper">{}</div>', super().render(*args, **options))


class GroupKind(models.TextChoices):
    """The kinds of groups, as the page of a group offers them."""

    TEAM = "team", "Team: owns repositories, which its members see"
    ROLE = "role", "Role: gives permissions to its members, who can be in any team"


class RolesAndTeams(forms.ModelForm):  # type: ignore[type-arg]  # generic only in the stubs
    """A form of a user whose groups are chosen in two fields: `roles`, and `groups` for the teams."""

    roles = forms.ModelMultipleChoiceField(
        Group.objects.filter(IS_ROLE).order_by("pk"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=ROLES_HELP,
    )
    groups = forms.ModelMultipleChoiceField(
        Group.objects.filter(IS_TEAM).order_by("name"),
        required=False,
        label="Teams",
        widget=TeamSelection,
        help_text=TEAMS_HELP,
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.pk:
            self.initial["roles"] = [*self.instance.groups.filter(IS_ROLE)]
            self.initial["groups"] = [*self.instance.groups.filter(IS_TEAM)]

    def clean(self) -> dict[str, Any] | None:
        given = super().clean()
        chosen = [*self.cleaned_data.get("roles", ()), *self.cleaned_data.get("groups", ())]
        self.cleaned_data["groups"] = Group.objects.filter(pk__in=[group.pk for group in chosen])
        return given


class ChangedUserForm(RolesAndTeams, UserChangeForm):  # type: ignore[type-arg]
    """The form of a user."""


class NewUserForm(RolesAndTeams, AdminUserCreationForm):  # type: ignore[type-arg]
    """The form of a new user, who may log in unless that is unchecked."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.initial.setdefault("is_staff", True)


class GroupForm(forms.ModelForm):  # type: ignore[type-arg]
    """The form of a team or a role. A declared repository gets its teams here, since its own page is read-only."""

    kind = forms.ChoiceField(
        choices=GroupKind.choices, initial=GroupKind.TEAM, widget=forms.RadioSelect, required=False
    )
    owned_repositories = forms.ModelMultipleChoiceField(
        Repository.objects.order_by("name").only("name"),
        required=False,
        label="Repositories",
        widget=LongSelectMultiple,
        help_text="The repositories that the members of the team see. A role has none.",
    )

    class Meta:
        model = Group
        fields = ("name", "permissions")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.pk:
            self.initial["kind"] = kind_of(self.instance)
            self.initial["owned_repositories"] = [*self.instance.repositories.all()]

    def clean_kind(self) -> GroupKind:
        return GroupKind(self.cleaned_data["kind"] or self.initial.get("kind", GroupKind.TEAM))

    def clean(self) -> None:
        super().clean()
        if self.cleaned_data.get("kind") != GroupKind.ROLE:
            return
        owned = [str(row) for row in self.cleaned_data.get("owned_repositories", ())]
        if self.instance.pk:
            owned += [str(row) for row in NotificationChannel.objects.filter(groups=self.instance)]
            owned += [str(row) for row in self.instance.usable_connections.all()]
        if owned:
            self.add_error("kind", STILL_OWNS.format(", ".join(owned[:5])))

    def save_kind(self) -> None:
        """Store the group's kind and its repositories; the group is stored already."""
        group = self.instance
        if self.cleaned_data["kind"] == GroupKind.ROLE:
            Role.objects.get_or_create(group=group)
        else:
            Role.objects.filter(group=group).delete()
        repositories: QuerySet[Repository] = self.cleaned_data["owned_repositories"]
        group.repositories.set(repositories)


def kind_of(group: Group) -> GroupKind:
    """Return whether the group is a role or a team."""
    return GroupKind.ROLE if Role.objects.filter(group=group).exists() else GroupKind.TEAM
