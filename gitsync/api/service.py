"""The API as a whole: its operations, its URLs, and the rules for every request body and every response."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, re_path
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation
from ninja.parser import Parser

from gitsync.api import (
    connections,
    dags,
    document,
    dry_runs,
    files,
    groups,
    me,
    notifications,
    problems,
    repositories,
    runs,
    sync_requests,
    syncs,
    versions,
)
from kiok import strict_json

NAMESPACE = "api-1"
MEDIA_TYPE = "application/json"  # of request bodies

View = Callable[..., HttpResponse]


class StrictParser(Parser):
    """Parser for JSON bodies that are sent as JSON: no duplicate key, no NaN, bounded nesting."""

    def parse_body(self, request: HttpRequest) -> Any:
        if not request.body and not request.content_type:
            return None  # the body is optional and was not sent
        if request.content_type != MEDIA_TYPE:
            raise problems.ApiRefusal(415, f"Send the body as {MEDIA_TYPE}.")
        try:
            return strict_json.parse(request.body)
        except strict_json.StrictJsonError as exc:
            raise problems.ApiRefusal(400, f"The body is not valid JSON: {exc}.") from exc


class Api(NinjaAPI):
    """ninja's API with a complete OpenAPI document."""

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__

    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:
        described = super().get_openapi_schema(**options)
        operations = {
            self.get_openapi_operation_id(operation): operation
            for router in self._get_bound_routers()
            for view in router.path_operations.values()
            for operation in view.operations
        }
        document.complete(described, operations)
        return described


api = Api(
    title=document.TITLE,
    version=document.VERSION,
    description=document.DESCRIPTION,
    urls_namespace=NAMESPACE,
    openapi_url=None,  # served by `urls` instead
    docs_url=None,
    parser=StrictParser(),
)
problems.handle_all(api)
api.add_router("", me.router)
api.add_router("/repositories", repositories.router)
api.add_router("", sync_requests.router)
api.add_router("", dry_runs.router)
api.add_router("", files.router)
api.add_router("/syncs", syncs.router)
api.add_router("", dags.router)
api.add_router("", versions.router)
api.add_router("/runs", runs.router)
api.add_router("/connections", connections.router)
api.add_router("", notifications.router)
api.add_router("/groups", groups.router)


@cache
def described() -> dict[str, Any]:
    """Return the OpenAPI document: the same for all users during the life of the process."""
    return api.get_openapi_schema()


def urls() -> list[URLPattern]:
    """Return the URL patterns, for inclusion under a path that ends with a slash."""
    return [
        re_path(r"^openapi\.json\Z", _guarded(_openapi), name="openapi"),
        re_path(r"^docs\Z", document.page, name="docs"),
        *[
            URLPattern(item.pattern, _guarded(item.callback), item.default_args, item.name)
            for item in api.urls[0]
            if isinstance(item, URLPattern)
        ],
        re_path(r"", _guarded(_nothing)),
    ]


def _guarded(view: View) -> View:
    """Return the view with the rules for every response.

    Errors are problems instead of Django's pages, unknown parameters are refused, and HEAD is GET without the body.
    """

    @csrf_exempt  # the API ignores sessions
    def answer(request: HttpRequest, **arguments: Any) -> HttpResponse:
        is_head = request.method == "HEAD"
        if is_head:
            request.method = "GET"
        try:
            _check_query(request)
            answered = view(request, **arguments)
        except Exception as exc:  # noqa: BLE001 - every exception becomes a problem; unexpected ones are logged
            answered = problems.response(problems.of_exception(exc))
        if answered.status_code >= 400 and answered.headers["Content-Type"] != problems.CONTENT_TYPE:
            answered = problems.of_plain(answered)
        if is_head and answered.content:
            answered.headers["Content-Length"] = str(len(answered.content))
            answered.content = b""
        return answered

    return answer


def _check_query(request: HttpRequest) -> None:
    """Raise Refused (422) for a parameter that the operation does not have, or that is sent twice."""
    if not request.GET or request.resolver_match is None:
        return
    path = "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", request.resolver_match.route)
    known = document.parameters(described(), path, request.method or "")
    if known is None:
        return
    wrong = [(name[:100], "Unknown parameter.") for name in request.GET if name not in known]
    twice = [
        (name, "Send this parameter only once.")
        for name, values in request.GET.lists()
        if len(values) > 1 and name in known
    ]
    if wrong or twice:
        raise problems.invalid(*wrong, *twice)


def _openapi(request: HttpRequest) -> HttpResponse:
    return document.openapi(request, described())


def _nothing(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    return HttpResponse(status=404)
