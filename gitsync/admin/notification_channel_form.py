"""The form of a notification channel. Users can choose only repositories and groups that they see themselves."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from gitsync.access import MANAGES_CONNECTIONS, assignable_groups, usable_channel_connections
from gitsync.models import Repository
from gitsync.models.visibility import sees_all
from kiok.notifications.models import NotificationChannel
from kiok.notifications.template import PLACEHOLDERS

OTHER_SERVER = (
    "The connection's secrets would be sent to a server that they were not entered for. Keep both as they are, choose no "
    "connection, or ask a user who may change connections to make this change."
)
FOR_NOBODY = (
    "Choose at least one of your groups or repositories. Otherwise you would not see the channel yourself."
)


class LongSelectMultiple(forms.SelectMultiple):
    """A multiple choice among a thousand options. Django's own renders a template per option: ten times as slow."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:  # noqa: ARG002
        """Return the element; `value` holds the keys of the chosen options."""
        chosen = {str(key) for key in value or ()}
        options = format_html_join(
            "\n",
            '<option value="{}"{}>{}</option>',
            (
                (key, mark_safe(" selected") if str(key) in chosen else "", label)
                for key, label in self.choices
            ),
        )
        given = self.build_attrs(self.attrs, {**(attrs or {}), "name": name, "multiple": True})
        return format_html("<select{}>\n{}\n</select>", flatatt(given), options)


class NotificationChannelForm(forms.ModelForm):  # type: ignore[type-arg]  # generic only in the stubs
    """The form as `user` sees it. Users who do not see all repositories get no field `all_repositories`."""

    user: Any = None  # set on a subclass created for each request

    class Meta:
        model = NotificationChannel
        fields = (
            *("name", "enabled", "kind", "url", "secret", "style", "template", "addresses"),
            *("all_repositories", "groups", "repositories"),
        )
        widgets = {
            "url": AdminTextInputWidget(attrs={"class": "vTextField kiok-url", "spellcheck": "false"}),
            "template": AdminTextareaWidget(attrs={"rows": 8, "spellcheck": "false"}),
            "addresses": AdminTextareaWidget(attrs={"rows": 3, "spellcheck": "false"}),
            "repositories": LongSelectMultiple,
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        fields: Any = self.fields
        if "secret" not in fields:
            return  # view only
        fields["secret"].queryset = usable_channel_connections(self.user, self.instance)
        fields["groups"].queryset = assignable_groups(self.user).order_by("name")
        fields["repositories"].queryset = (
            Repository.objects.visible_to(self.user).order_by("name").only("name")
        )
        if not sees_all(self.user):
            fields.pop("all_repositories", None)
        fields["template"].help_text = (
            "JSON with placeholders in its texts. Empty: the default template of the format. Placeholders: "
            + ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
            + "."
        )

    def clean(self) -> None:
        super().clean()
        given = self.cleaned_data
        if not sees_all(self.user) and not (given.get("groups") or given.get("repositories")):
            self.add_error("groups", FOR_NOBODY)
        if (
            given.get("secret")
            and {"url", "secret", "kind"} & set(self.changed_data)
            and not self.user.has_perms(MANAGES_CONNECTIONS)
        ):
            self.add_error("url", OTHER_SERVER)
