"""Correlation ids of requests: carried by their log lines, by the work that they request and by their responses."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from kiok import correlation

HEADER = "X-Request-ID"


class CorrelationMiddleware:
    """Middleware that accepts a well-formed `X-Request-ID` or makes a new id, and returns it in the response."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with correlation.bound(correlation.taken(request.headers.get(HEADER, ""))) as known:
            # For the line that Django logs about the response after this middleware has ended.
            request.correlation_id = known  # type: ignore[attr-defined]
            response = self.get_response(request)
        response.headers.setdefault(HEADER, known)
        return response
