"""Endpoints for monitoring: `/healthz`, `/readyz`, `/metrics`.

`/healthz`: the process answers. `/readyz`: the database answers and has every migration, and the checks of the apps
pass (`KIOK_READINESS`: there is a leader); else 503. Both return JSON and need no authentication. `/metrics` is in
kiok.server.metrics. They are answered before any other middleware, because a probe knows neither the host name nor
https, and must not create a session.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.module_loading import import_string

from kiok.checks import CheckResult, CheckStatus
from kiok.server.metrics import metrics

_log = logging.getLogger(__name__)


class HealthMiddleware:
    """Middleware that answers these paths and passes on all other requests."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.views: dict[str, Callable[[HttpRequest], HttpResponseBase]] = {
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
