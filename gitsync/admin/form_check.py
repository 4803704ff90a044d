"""The repository's form judged while it is filled in: the same validation as on saving, and nothing is saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path

from gitsync.access import visible_repositories
from gitsync.models import Repository

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin


class FormCheckViews:
    """What repository_form.js asks, added to the urls of the repositories' admin."""

    def __init__(self, model_admin: ModelAdmin[Repository]) -> None:
        self._admin = model_admin

    def urls(self) -> list[URLPattern]:
        view = self._admin.admin_site.admin_view
        return [
            path("check-form/", view(self.new), name="gitsync_repository_check_new"),
            path("<int:pk>/check-form/", view(self.stored), name="gitsync_repository_check_form"),
        ]

    def new(self, request: HttpRequest) -> HttpResponse:
        """`{"errors": {field: [message]}}` of a repository that is being added."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self._admin.has_add_permission(request):
            raise PermissionDenied
        return self._judged(request, None)

    def stored(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The same of one that is being edited."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        repository = get_object_or_404(visible_repositories(request.user), pk=pk)
        if not self._admin.has_change_permission(request, repository):
            raise PermissionDenied
        return self._judged(request, repository)

    def _judged(self, request: HttpRequest, repository: Repository | None) -> HttpResponse:
        form_class = self._admin.get_form(request, repository, change=repository is not None)
        errors = form_class(request.POST, instance=repository).errors
        response = JsonResponse({"errors": {field: list(messages) for field, messages in errors.items()}})
        response["Cache-Control"] = "no-store"
        return response
