"""Common parts of the pages that Django does not provide: permissions, the repository, the page frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse

from gitsync.access import may_sync
from gitsync.models import Repository

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin


class Views:
    """Pages and buttons that are added to a model's admin and use its permissions."""

    def __init__(self, model_admin: ModelAdmin[Any]) -> None:
        self.admin = model_admin
        self.view = model_admin.admin_site.admin_view  # makes a function a page of the admin site

    def require_view(self, request: HttpRequest) -> None:
        """Raise PermissionDenied unless the user may view the model."""
        if not self.admin.has_view_permission(request):
            raise PermissionDenied

    def require_change(self, request: HttpRequest) -> None:
        """Raise PermissionDenied unless the user may change the model. Declared repositories are no exception."""
        if not self.admin.has_change_permission(request):
            raise PermissionDenied

    def require_sync(self, request: HttpRequest) -> None:
        """Raise PermissionDenied unless the user may sync repositories."""
        if not may_sync(request.user):
            raise PermissionDenied

    def seen(self, request: HttpRequest, **key: Any) -> Repository:
        """Return the repository of this key if the user may view it. Raise PermissionDenied or Http404."""
        self.require_view(request)
        return visible_one(request, **key)

    def changeable(self, request: HttpRequest, pk: int) -> Repository:
        """Return the repository of this key if the user may change it. Raise PermissionDenied or Http404."""
        self.require_change(request)
        return visible_one(request, pk=pk)

    def syncable(self, request: HttpRequest, pk: int) -> Repository:
        """Return the repository of this key if the user may sync it. Raise PermissionDenied or Http404."""
        self.require_sync(request)
        return visible_one(request, pk=pk)

    def framed(self, request: HttpRequest, template: str, title: str, **context: Any) -> HttpResponse:
        """Return a page within the admin's frame."""
        frame = {
            **self.admin.admin_site.each_context(request),
            "title": title,
            "opts": self.admin.opts,
            "media": self.admin.media,
        }
        return TemplateResponse(request, template, {**frame, **context})


def visible_one(request: HttpRequest, **key: Any) -> Repository:
    """Return a repository that the user may see. Raise Http404."""
    return get_object_or_404(Repository.objects.visible_to(request.user), **key)
