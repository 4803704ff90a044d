"""The form of a repository's configuration. It reports each error at its field before anything is saved."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.text import capfirst

from gitsync.access import NAME_HAS_HISTORY, OTHER_SERVER, assignable_groups, may_be_sent, may_take_name
from gitsync.git.errors import GitError
from gitsync.git.url import ANY_PROTOCOL, parse_url
from gitsync.models import Repository
from gitsync.models.own_images import MAX_IMAGE_CHARACTERS, image_fields, images_of
from gitsync.models.visibility import sees_all
from kiok.connections.redaction import redact

_BEFORE = ("name", "url", "ref", "subpath", "credential", "include", "verify", "verify_keys")
_AFTER = ("webhook_secret", "allow_empty", "owner", "enabled", "interval_ms")
# The columns that the form writes. `groups` are rows of another table, and not part of the sync configuration.
COLUMNS = (*_BEFORE, "images", *_AFTER)
MODEL_FIELDS = (*_BEFORE, *_AFTER, "groups")
# The fields of the form, with one for each image of the column `images`.
FIELDS = (*_BEFORE, *(field.name for field in image_fields()), *_AFTER, "groups")


class UrlInput(AdminTextInputWidget):
    """A text field for a URL that never shows a password, not even one that was just entered and rejected."""

    def format_value(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            parse_url(value, allow_protocols=ANY_PROTOCOL)
        except GitError:
            return redact(value)
        return value


class RepositoryForm(forms.ModelForm):  # type: ignore[type-arg]  # generic only in the stubs
    """The repository form as `user` sees it; see `for_user`."""

    user: Any = None

    class Meta:
        model = Repository
        fields = MODEL_FIELDS
        labels = {"groups": "Visible to groups"}
        # The admin renders help texts as HTML.
        help_texts = {"ref": "A branch, tag:NAME, semver:RANGE (the highest tag in the range) or commit:ID."}
        widgets = {
            "url": UrlInput(attrs={"class": "vTextField kiok-url", "spellcheck": "false"}),
            "include": AdminTextareaWidget(attrs={"rows": 3, "spellcheck": "false"}),
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for image in image_fields():
            # The model validates the image, with the rest of the row.
            self.fields[image.name] = forms.CharField(
                label=capfirst(image.label),
                help_text=image.help_text,
                initial=self.instance.images.get(image.format, ""),
                max_length=MAX_IMAGE_CHARACTERS,
                required=False,
                widget=AdminTextInputWidget(),
            )
        self.order_fields(FIELDS)
        if "groups" in self.fields:
            self._offer_groups(self.fields["groups"])

    def _offer_groups(self, field: Any) -> None:
        """Offer the user's own groups, of which at least one must be chosen. Groups of others stay unchanged."""
        field.queryset = assignable_groups(self.user).order_by("name")
        field.required = not sees_all(self.user)
        field.error_messages["required"] = (
            "Choose at least one of your groups. Otherwise you would not see the repository yourself."
        )
        if field.required and not field.queryset.exists():
            field.error_messages["required"] = (
                "You are in no group, so you would not see the repository yourself. Ask an administrator to add you "
                "to a group."
            )
        offered = list(field.queryset)
        if self.instance.pk:
            set_now = {group.pk for group in self.instance.groups.all()}
            self.initial["groups"] = [group for group in offered if group.pk in set_now]
        elif field.required and len(offered) == 1:
            self.initial["groups"] = offered

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if not may_take_name(self.user, name):
            raise ValidationError(NAME_HAS_HISTORY)
        return name

    def clean(self) -> None:
        super().clean()
        self.instance.images = images_of(self.cleaned_data)
        url, credential = self.cleaned_data.get("url"), self.cleaned_data.get("credential")
        if not (url and credential and {"url", "credential"} & set(self.changed_data)):
            return
        if not may_be_sent(self.user, credential.pk, url):
            self.add_error("url", OTHER_SERVER)

    def clean_groups(self) -> QuerySet[Group]:
        """Return the chosen groups and the assigned groups that the user cannot choose."""
        chosen: QuerySet[Group] = self.cleaned_data["groups"]
        keys = {group.pk for group in chosen}
        if self.instance.pk:
            offered = self.fields["groups"].queryset  # type: ignore[attr-defined]  # it is a model field
            keys |= set(self.instance.groups.exclude(pk__in=offered).values_list("pk", flat=True))
        return Group.objects.filter(pk__in=keys)


def for_user(form: type[forms.ModelForm[Any]], user: Any) -> type[forms.ModelForm[Any]]:
    """Return the form class for this user."""
    return type(form.__name__, (form,), {"user": user})
