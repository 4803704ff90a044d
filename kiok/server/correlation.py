"""Each request goes by an id, which its log lines, what it asks for and its answer carry."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from kiok import correlation

HEADER = "X-Request-ID"


class CorrelationMiddleware:
    """Takes the id that the client or a proxy sends as `X-Request-ID` if it is well-formed, makes one else; answers it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with correlation.bound(correlation.taken(request.headers.get(HEADER, ""))) as known:
            # For what Django logs of the answer, which it does when this is over.
            request.correlation_id = known  # type: ignore[attr-defined]
            response = self.get_response(request)
        response.headers.setdefault(HEADER, known)
        return response
