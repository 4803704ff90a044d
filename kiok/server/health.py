"""Probes for whoever runs the service.

`/healthz`: the process answers. `/readyz`: the database answers and has every migration; else 503. Both are
JSON. They are answered before any other middleware, because a probe knows neither the host name
nor https, and must not make a session.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponseBase, JsonResponse

_log = logging.getLogger(__name__)


class HealthMiddleware:
    """Answers the two probes and passes everything else on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.views = {"/healthz": healthz, "/readyz": readyz}

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        view = self.views.get(request.path_info)
        if view is None:
            return self.get_response(request)
        if request.method not in ("GET", "HEAD"):
            return JsonResponse({"error": "only GET"}, status=405, headers={"Allow": "GET, HEAD"})
        return view()


def healthz() -> JsonResponse:
    """`{"status": "ok"}`."""
    return JsonResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})


def readyz() -> JsonResponse:
    """`{"status": "ready" | "not ready", "checks": {"database": text, "migrations": text}}`."""
    checks = {"database": "ok", "migrations": "unknown"}
    try:
        pending = _pending_migrations()
        checks["migrations"] = f"{pending} not applied; run `manage.py migrate`" if pending else "ok"
    except DatabaseError as exc:
        # The cause may name users and hosts, and probes are answered to anyone: the log has it.
        _log.warning("not ready: %s", exc)
        checks["database"] = "unreachable"
    ready = all(value == "ok" for value in checks.values())
    return JsonResponse(
        {"status": "ready" if ready else "not ready", "checks": checks},
        status=200 if ready else 503,
        headers={"Cache-Control": "no-store"},
    )


def _pending_migrations() -> int:
    connection.close_if_unusable_or_obsolete()
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
