"""API tokens in the admin: created, shown once, deleted. A token is never changed; create another instead."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from gitsync.admin.views import Views
from gitsync.models import ApiToken, TokenScope, token_text
from gitsync.models.visibility import sees_all
from kiok.metadata.admin import display
from kiok.metadata.admin.display import Tone


class ApiTokenForm(forms.ModelForm):  # type: ignore[type-arg]  # generic only in the stubs
    """The form of a new token. Only users who may change accounts get the field `user`."""

    scopes = forms.MultipleChoiceField(
        choices=TokenScope.choices,
        widget=forms.CheckboxSelectMultiple,
        initial=[TokenScope.READ],
        help_text="What the token may be used for, within the permissions of its user.",
    )
    days = forms.IntegerField(
        label="Expires after (days)",
        initial=token_text.DEFAULT_DAYS,
        min_value=1,
        max_value=token_text.MAX_DAYS,
        help_text=f"At most {token_text.MAX_DAYS}.",
    )

    class Meta:
        model = ApiToken
        fields = ("name", "user")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if _manages_accounts(self.request.user):
            self.fields["user"].help_text = "Account that the token acts for: yours or a service account."
            self.initial.setdefault("user", self.request.user.pk)
        else:
            del self.fields["user"]
            self.instance.user = self.request.user

    request: HttpRequest  # set on a subclass created for each request

    def clean_name(self) -> str:
        return " ".join(str(self.cleaned_data["name"]).split())

    def clean(self) -> None:
        super().clean()
        # Without the field `user` the form does not check the model's unique constraint.
        user, name = self.cleaned_data.get("user", self.request.user), self.cleaned_data.get("name")
        if name and user and ApiToken.objects.filter(user=user, name=name).exists():
            self.add_error(
                "name", "A token of this name already exists. Delete it first, or choose another name."
            )


def _manages_accounts(user: Any) -> bool:
    """Return whether the user may change accounts, and so could also log in as their users."""
    return sees_all(user) and bool(user.has_perm("auth.change_user"))


@admin.register(ApiToken)
class ApiTokenAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic only in the stubs
    list_display = ("name", "user", "shown_start", "shown_scopes", "expires", "last_used")
    list_select_related = ("user",)
    search_fields = ("name", "start")
    list_per_page = 50
    fields = ("name", "user", "shown_start", "shown_scopes", "created_at", "expires_at", "last_used_at")

    class Media:
        css = {"all": ["kiok/admin.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        user: Any = request.user
        return rows if _manages_accounts(user) else rows.filter(user=user)

    def has_change_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:  # noqa: ARG002
        return False

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is not None:
            return super().get_form(request, obj, change, **kwargs)
        return type("NewApiTokenForm", (ApiTokenForm,), {"request": request})

    def get_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> Any:
        if obj is not None:
            return self.fields
        return ("name", *(("user",) if _manages_accounts(request.user) else ()), "scopes", "days")

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        if change:
            raise PermissionDenied
        made = token_text.new()
        obj.digest, obj.start = made.digest, made.start
        obj.scopes = form.cleaned_data["scopes"]
        obj.expires_at = timezone.now() + timedelta(days=form.cleaned_data["days"])
        obj.save(force_insert=True)
        request.kiok_new_token = made  # type: ignore[attr-defined]  # only for the response to this request

    def response_add(
        self,
        request: HttpRequest,
        obj: ApiToken,
        post_url_continue: Any = None,  # noqa: ARG002
    ) -> HttpResponse:
        """Return the only page that shows the token's text. The text is in no message and in no session."""
        made: token_text.NewToken = request.kiok_new_token  # type: ignore[attr-defined]
        return Views(self).framed(
            request, "admin/gitsync/apitoken/made.html", "API token", token=obj, text=made.text
        )

    @admin.display(description="prefix", ordering="start")
    def shown_start(self, token: ApiToken) -> str:
        return f"{token.start}…"

    @admin.display(description="scopes")
    def shown_scopes(self, token: ApiToken) -> str:
        return ", ".join(token.scopes) or display.NOTHING

    @admin.display(description="expires", ordering="expires_at")
    def expires(self, token: ApiToken) -> str:
        if token.expires_at <= timezone.now():
            return display.badge(Tone.BAD, "Expired")
        return display.age(token.expires_at)

    @admin.display(description="last used", ordering="last_used_at")
    def last_used(self, token: ApiToken) -> str:
        return display.age(token.last_used_at)
