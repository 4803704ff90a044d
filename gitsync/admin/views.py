"""What the pages beside Django's own have in common: who may see them, which repository they are of, their frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse

from gitsync.access import visible_repositories
from gitsync.models import Repository

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin


class Views:
    """Pages and buttons that are added to a model's admin, and stand under its permissions."""

    def __init__(self, model_admin: ModelAdmin[Any]) -> None:
        self.admin = model_admin
        self.view = model_admin.admin_site.admin_view
        """Makes a function one of the site's pages."""

    def require_view(self, request: HttpRequest) -> None:
        """Raises PermissionDenied."""
        if not self.admin.has_view_permission(request):
            raise PermissionDenied

    def require_change(self, request: HttpRequest) -> None:
        """By the plain permission, which declared repositories follow too. Raises PermissionDenied."""
        if not self.admin.has_change_permission(request):
            raise PermissionDenied

    def seen(self, request: HttpRequest, **key: Any) -> Repository:
        """The repository of this key, for who may view it. Raises PermissionDenied, Http404."""
        self.require_view(request)
        return visible_one(request, **key)

    def changeable(self, request: HttpRequest, pk: int) -> Repository:
        """The repository of this key, for who may change it. Raises PermissionDenied, Http404."""
        self.require_change(request)
        return visible_one(request, pk=pk)

    def framed(self, request: HttpRequest, template: str, title: str, **context: Any) -> HttpResponse:
        """A page within the admin's frame."""
        frame = {
            **self.admin.admin_site.each_context(request),
            "title": title,
            "opts": self.admin.opts,
            "media": self.admin.media,
        }
        return TemplateResponse(request, template, {**frame, **context})


def visible_one(request: HttpRequest, **key: Any) -> Repository:
    """A repository that the user may see. Raises Http404."""
    return get_object_or_404(visible_repositories(request.user), **key)
