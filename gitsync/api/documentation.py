"""Documentation page and OpenAPI document. The page requires an admin login, the document a login or a token."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from gitsync.api.auth import caller_of

# Swagger UI's stylesheet embeds its icons as data: URLs.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


@require_safe
@staff_member_required
def page(request: HttpRequest) -> HttpResponse:
    """Return Swagger UI, served from this service's files. Its requests are sent with a token, never with the session."""
    return TemplateResponse(
        request,
        "gitsync/api_docs.html",
        headers={"Content-Security-Policy": POLICY, "Cache-Control": "private, no-store"},
    )


def openapi(request: HttpRequest, document: dict[str, Any]) -> HttpResponse:
    """Return the OpenAPI document. Raise Refused (401)."""
    if request.method != "GET":
        return HttpResponseNotAllowed(["GET"])
    user: Any = request.user
    if not (user.is_active and user.is_staff):
        caller_of(request)
    return JsonResponse(document)
