"""Error responses: problem details (RFC 9457) for every status and every path."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from ninja import NinjaAPI, Schema
from ninja.errors import HttpError, ValidationError

from gitsync.api import messages
from gitsync.queue.brokers.errors import BrokerAway
from kiok.connections.redaction import redact

CONTENT_TYPE = "application/problem+json"
TYPE = "urn:kiok:problem:"
RETRY_SECONDS = 5
_BY_STATUS = {
    400: "malformed",
    401: "unauthenticated",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    409: "conflict",
    413: "too-large",
    415: "unsupported-media-type",
    422: "invalid",
    500: "internal",
    503: "unavailable",
}

log = logging.getLogger(__name__)


class FieldError(Schema):
    """The error of one value in the request."""

    field: str  # the key in the body, or the parameter; "" for the whole request
    message: str


class Problem(Schema):
    """An error, for people (`title`, `detail`) and for programs (`type`, `status`, `errors`)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError] = []


class ApiRefusal(Exception):
    """An error response with this status. `code` is the end of the problem's type; "" for the status's default."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        code: str = "",
        errors: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.code = code
        self.errors = errors
        self.headers = headers


def not_found(what: str) -> ApiRefusal:
    """Return a 404: the row does not exist, or the caller may not see it. Both get the same response."""
    return ApiRefusal(404, f"No such {what}, or you may not see it.")


def invalid(*errors: tuple[str, str]) -> ApiRefusal:
    """Return a 422 for invalid values, each a pair of field and message."""
    return ApiRefusal(422, "The request has invalid values; see `errors`.", errors=errors)


def response(problem: ApiRefusal) -> HttpResponse:
    """Return the problem as an HTTP response."""
    code = problem.code or _BY_STATUS.get(problem.status, "error")
    body: dict[str, Any] = {
        "type": TYPE + code.replace("_", "-"),
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": redact(problem.detail),
        "errors": [{"field": field, "message": redact(message)} for field, message in problem.errors],
    }
    return HttpResponse(
        json.dumps(body), status=problem.status, content_type=CONTENT_TYPE, headers=problem.headers
    )


def handle_all(api: NinjaAPI) -> None:
    """Register a handler that turns every exception of an operation into a problem."""
    for kind in (
        *(ApiRefusal, ValidationError, HttpError, Http404, RequestDataTooBig, SuspiciousOperation),
        *(UnreadablePostError, OperationalError, InterfaceError, Exception),
    ):
        api.add_exception_handler(kind, _answer)


def of_exception(error: Exception) -> ApiRefusal:
    """Return the problem for an exception. An internal error is only logged; its response has no details."""
    if isinstance(error, ApiRefusal):
        return error
    if isinstance(error, HttpError):
        # ninja wraps an exception of the body parser; the original is the cause.
        cause = error.__cause__
        return (
            of_exception(cause) if isinstance(cause, Exception) else ApiRefusal(error.status_code, str(error))
        )
    if isinstance(error, ValidationError):
        return invalid(*[(_field(item["loc"]), messages.of_pydantic(item)) for item in error.errors])
    if isinstance(error, Http404):
        return not_found("object")
    if isinstance(error, RequestDataTooBig):
        return ApiRefusal(413, "The body is larger than this service accepts.")
    if isinstance(error, SuspiciousOperation | UnreadablePostError):
        return ApiRefusal(400, "The request cannot be read.")
    if isinstance(error, OperationalError | InterfaceError):
        log.warning("the database does not respond: %s", error)
        return _unavailable("The database does not respond. Try again.")
    if isinstance(error, BrokerAway):
        log.warning("%s", error.found)
        return _unavailable(str(error))
    log.error("internal error in the API", exc_info=error)
    return ApiRefusal(500, "Internal error. See the service log.")


def _unavailable(detail: str) -> ApiRefusal:
    return ApiRefusal(503, detail, headers={"Retry-After": str(RETRY_SECONDS)})


def of_plain(answer: HttpResponse) -> HttpResponse:
    """Return an error response of Django or ninja as a problem."""
    headers = {name: answer.headers[name] for name in ("Allow",) if name in answer.headers}
    details = {
        404: "This address does not exist. See /api/v1/openapi.json for all addresses.",
        405: f"Methods allowed here: {headers.get('Allow', 'none')}.",
    }
    detail = details.get(answer.status_code, HTTPStatus(answer.status_code).phrase)
    return response(ApiRefusal(answer.status_code, detail, headers=headers))


def _answer(_request: HttpRequest, error: Exception | type[Exception]) -> HttpResponse:
    return response(of_exception(error if isinstance(error, Exception) else error()))


def _field(location: Sequence[Any]) -> str:
    """Return the field of an error location: `body`, parameter, key -> `key`; `query`, name -> `name`."""
    source, *path = location
    return ".".join(str(part) for part in (path[1:] if source == "body" else path))
