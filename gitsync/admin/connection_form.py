"""The form of a connection, with who may use it. Users can choose only teams and repositories that they see themselves."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import Group

from gitsync.admin.account_forms import TeamSelection
from gitsync.admin.notification_channel_form import LongSelectMultiple
from gitsync.models import Repository
from gitsync.repositories.grants import visible_repositories, visible_teams
from kiok.connections.admin import ConnectionForm


class ConnectionUseForm(ConnectionForm):
    """The form as `user` sees it. Grants to teams and repositories that the user does not see are kept."""

    user: Any = None  # set on a subclass created for each request

    teams = forms.ModelMultipleChoiceField(
        Group.objects.none(),
        required=False,
        label="Teams",
        widget=TeamSelection,
        help_text="DAGs of every repository of these teams, also of repositories that the teams get later.",
    )
    repositories = forms.ModelMultipleChoiceField(
        Repository.objects.none(),
        required=False,
        label="Repositories",
        widget=LongSelectMultiple,
        help_text="DAGs of these repositories. Hold down “Control”, or “Command” on a Mac, to select more than one.",
    )

    class Meta(ConnectionForm.Meta):
        fields = (*ConnectionForm.Meta.fields, "usable_by_all")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.grant_changes: list[str] = []
        if "teams" not in self.fields:
            return  # view only
        fields: Any = self.fields
        fields["teams"].queryset = visible_teams(self.user)
        fields["repositories"].queryset = visible_repositories(self.user)
        if not self.instance._state.adding:
            given = {"teams": "usable_connections", "repositories": "granted_connections"}
            for name, relation in given.items():
                self.initial[name] = [*fields[name].queryset.filter(**{relation: self.instance})]

    def save_grants(self) -> None:
        """Store who may use the connection, which is stored already, and describe what changed in `grant_changes`."""
        if "usable_by_all" in self.changed_data:
            self._note("everyone", added=self.cleaned_data["usable_by_all"])
        stored = {
            "teams": ("team", self.instance.usable_by_groups),
            "repositories": ("repository", self.instance.usable_by_repositories),
        }
        for name, (noun, rows) in stored.items():
            before, after = {*self.initial.get(name, ())}, {*self.cleaned_data[name]}
            rows.add(*(after - before))
            rows.remove(*(before - after))
            for row in sorted(before ^ after, key=str):
                self._note(f"{noun} {row}", added=row in after)

    def _note(self, who: str, *, added: bool) -> None:
        self.grant_changes.append(f"{who} ({'added' if added else 'removed'})")
