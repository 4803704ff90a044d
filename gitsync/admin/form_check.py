"""Validation of the repository form while it is filled in: the same as on saving, but nothing is saved."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST

from gitsync.admin.views import Views, visible_one
from gitsync.models import Repository


class FormCheckViews(Views):
    """The endpoints of repository_form.js, added to the URLs of the repositories' admin."""

    def urls(self) -> list[URLPattern]:
        view = self.view
        return [
            path("check-form/", view(require_POST(self.new)), name="gitsync_repository_check_new"),
            path(
                "<int:pk>/check-form/", view(require_POST(self.stored)), name="gitsync_repository_check_form"
            ),
        ]

    def new(self, request: HttpRequest) -> HttpResponse:
        """Return `{"errors": {field: [message]}}` for a repository that is being added."""
        if not self.admin.has_add_permission(request):
            raise PermissionDenied
        return self._judged(request, None)

    def stored(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return the same for a repository that is being edited."""
        repository = visible_one(request, pk=pk)
        if not self.admin.has_change_permission(request, repository):
            raise PermissionDenied
        return self._judged(request, repository)

    def _judged(self, request: HttpRequest, repository: Repository | None) -> HttpResponse:
        form_class = self.admin.get_form(request, repository, change=repository is not None)
        errors = form_class(request.POST, instance=repository).errors
        return JsonResponse({"errors": {field: list(messages) for field, messages in errors.items()}})
