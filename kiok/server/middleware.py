"""Middleware of the service: correlation ids, the endpoints for monitoring, and security headers.

`/healthz`: the process answers. `/readyz`: the database answers and has every migration, and the checks of the apps
pass (`KIOK_READINESS`: there is a leader); else 503. Both return JSON and need no authentication. `/metrics` is in
kiok.server.metrics. They are answered before any other middleware, because a probe knows neither the host name nor
https, and must not create a session.

The headers say what a page may load and do, and that no other site may embed or cache it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.module_loading import import_string

from kiok import correlation
from kiok.checks import CheckResult, CheckStatus
from kiok.server.metrics import metrics

GetResponse = Callable[[HttpRequest], HttpResponseBase]

CORRELATION_HEADER = "X-Request-ID"

# Scripts, styles and images are files of this site; no page has inline ones. Scripts may still set `element.style`.
# No `require-trusted-types-for`: Django's own scripts assign `innerHTML`, so its policy would have to allow everything.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

_REFUSED = (
    *("accelerometer", "browsing-topics", "camera", "display-capture", "fullscreen", "geolocation"),
    *("gyroscope", "hid", "magnetometer", "microphone", "midi", "payment", "picture-in-picture"),
    *("publickey-credentials-get", "screen-wake-lock", "serial", "usb", "xr-spatial-tracking"),
)

# In addition to those of Django's SecurityMiddleware: Referrer-Policy, Cross-Origin-Opener-Policy, nosniff.
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _REFUSED),
    "Cross-Origin-Resource-Policy": "same-origin",
    # Pages show data that needs permissions. Static files set their own Cache-Control.
    "Cache-Control": "no-store",
}

_log = logging.getLogger(__name__)


class CorrelationMiddleware:
    """Middleware that accepts a well-formed `X-Request-ID` or makes a new id, and returns it in the response."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with correlation.bound(correlation.taken(request.headers.get(CORRELATION_HEADER, ""))) as known:
            # For the line that Django logs about the response after this middleware has ended.
            request.correlation_id = known  # type: ignore[attr-defined]
            response = self.get_response(request)
        response.headers.setdefault(CORRELATION_HEADER, known)
        return response


class HealthMiddleware:
    """Middleware that answers these paths and passes on all other requests."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.views: dict[str, GetResponse] = {
            "/healthz": healthz,
            "/readyz": readyz,
            "/metrics": metrics,
        }

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        view = self.views.get(request.path_info)
        if view is None:
            return self.get_response(request)
        if request.method not in ("GET", "HEAD"):
            return JsonResponse({"error": "only GET"}, status=405, headers={"Allow": "GET, HEAD"})
        response = view(request)
        if isinstance(
            response, HttpResponse
        ):  # CommonMiddleware would add it; without it the connection is closed
            response.headers.setdefault("Content-Length", str(len(response.content)))
        return response


class HeadersMiddleware:
    """Middleware that sets each header that the response does not have yet."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response


def healthz(_request: HttpRequest) -> JsonResponse:
    """Return `{"status": "ok"}`."""
    return JsonResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})


def readyz(_request: HttpRequest) -> JsonResponse:
    """Return `{"status": "ready" | "not ready", "checks": {"database": text, "migrations": text, "leader": text}}`.

    A check is `ok`, `not needed`, `unknown` if an earlier one failed, or a text that says what is wrong and what to do.
    """
    results = _results()
    ready = all(result.status is CheckStatus.OK for result in results)
    return JsonResponse(
        {
            "status": "ready" if ready else "not ready",
            "checks": {result.name: result.detail for result in results},
        },
        status=200 if ready else 503,
        headers={"Cache-Control": "no-store"},
    )


def _results() -> list[CheckResult]:
    names = ("database", "migrations", *settings.KIOK_READINESS)
    results = {name: CheckResult(name, CheckStatus.UNKNOWN, "unknown") for name in names}
    try:
        pending = _pending_migrations()
        results["database"] = CheckResult("database", CheckStatus.OK, "ok")
        results["migrations"] = (
            CheckResult("migrations", CheckStatus.FAIL, f"{pending} not applied; run `manage.py migrate`")
            if pending
            else CheckResult("migrations", CheckStatus.OK, "ok")
        )
        if not pending:  # else tables may be missing
            results |= {name: import_string(path)() for name, path in settings.KIOK_READINESS.items()}
    except DatabaseError as exc:
        # The cause may name users and hosts, and probes need no authentication: only the log has it.
        _log.warning("not ready: %s", exc)
        results["database"] = CheckResult("database", CheckStatus.FAIL, "unreachable")
    return list(results.values())


def _pending_migrations() -> int:
    connection.close_if_unusable_or_obsolete()
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
