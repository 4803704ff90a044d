"""Access control of `/metrics`.

With `KIOK_WEB_METRICS_TOKEN` set, clients anywhere that send it as a bearer token (RFC 6750) may read the metrics. Without
it, only clients on this machine that use no proxy may: behind a local proxy all clients seem to be local.
"""

from __future__ import annotations

import ipaddress
import logging

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port
from django.utils.crypto import constant_time_compare
from django.utils.module_loading import import_string

from kiok.authentication.client_address import client_address

# https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
_BY_PROXIES = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip")

_log = logging.getLogger(__name__)


def metrics(request: HttpRequest) -> HttpResponse:
    """Return the metrics; 401 or 403 for clients that may not read them, 503 while the database does not answer."""
    refusal = _refusal(request)
    if refusal:
        return refusal
    try:
        page = import_string(settings.KIOK_METRICS)()
    except DatabaseError as exc:
        _log.warning("no metrics: %s", exc)
        return _text("the database does not answer, or a migration is missing; see /readyz\n", 503)
    return HttpResponse(page, content_type=CONTENT_TYPE, headers={"Cache-Control": "no-store"})


def _refusal(request: HttpRequest) -> HttpResponse | None:
    token = settings.KIOK_WEB_METRICS_TOKEN
    if token:
        if _bears(request, token):
            return None
        if "Authorization" in request.headers:
            _log.warning(
                "refused a token for /metrics: it is not KIOK_WEB_METRICS_TOKEN, from %s",
                client_address(request) or "an unknown address",
            )  # not counted: a refusal must not need the database
        answer = _text("send the token of KIOK_WEB_METRICS_TOKEN as Authorization: Bearer\n", 401)
        answer["WWW-Authenticate"] = 'Bearer realm="kiok metrics"'
        return answer
    if _is_local(request):
        return None
    return _text(
        "allowed only from this machine and without a proxy, unless KIOK_WEB_METRICS_TOKEN is set\n", 403
    )


def _bears(request: HttpRequest, token: str) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and constant_time_compare(given.strip(), token)


def _is_local(request: HttpRequest) -> bool:
    """Return whether the client itself is on this machine, as far as a proxy does not hide it.

    Signs of a proxy: the service is configured for one, the request has a header that proxies add, or `Host` is a public
    name (this check also stops DNS rebinding).
    """
    if settings.KIOK.web_tls or settings.KIOK.web_trusted_origins:
        return False
    if any(header in request.headers for header in _BY_PROXIES):
        return False
    host, _ = split_domain_port(request.META.get("HTTP_HOST", ""))
    return host in _LOCAL_NAMES and _is_loopback(request.META.get("REMOTE_ADDR", ""))


def _is_loopback(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:  # a Unix socket has no address
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _text(text: str, status: int) -> HttpResponse:
    headers = {"Cache-Control": "no-store"}
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8", headers=headers)
