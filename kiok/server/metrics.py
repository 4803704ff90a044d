"""The door of `/metrics`: who may read what the store tells of the service.

With `KIOK_WEB_METRICS_TOKEN` set: whoever sends it as a bearer token (RFC 6750), from anywhere. Without: only a client on
this machine that comes without a proxy, since behind one on the same machine all the world comes from there.
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

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format"""

_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
_BY_PROXIES = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip")

_log = logging.getLogger(__name__)


def metrics(request: HttpRequest) -> HttpResponse:
    """The metrics; 401 or 403 for who may not read them, 503 while the database does not answer."""
    refusal = _refusal(request)
    if refusal:
        return refusal
    try:
        page = import_string(settings.KIOK_METRICS)()
    except DatabaseError as exc:
        _log.warning("no metrics: %s", exc)
        return _text("the database does not answer, or lacks a migration; see /readyz\n", 503)
    return HttpResponse(page, content_type=CONTENT_TYPE, headers={"Cache-Control": "no-store"})


def _refusal(request: HttpRequest) -> HttpResponse | None:
    token = settings.KIOK_WEB_METRICS_TOKEN
    if token:
        if _bears(request, token):
            return None
        if "Authorization" in request.headers:
            _log.warning(
                "refused a token of /metrics: it is not KIOK_WEB_METRICS_TOKEN, from %s",
                client_address(request) or "an unknown address",
            )  # not counted: a refusal here asks no database
        answer = _text("send the token of KIOK_WEB_METRICS_TOKEN as Authorization: Bearer\n", 401)
        answer["WWW-Authenticate"] = 'Bearer realm="kiok metrics"'
        return answer
    if _is_local(request):
        return None
    return _text("only from this machine and without a proxy, unless KIOK_WEB_METRICS_TOKEN is set\n", 403)


def _bears(request: HttpRequest, token: str) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and constant_time_compare(given.strip(), token)


def _is_local(request: HttpRequest) -> bool:
    """Whether the client itself is on this machine, as far as a proxy does not hide it.

    Each of these is a sign of a proxy: the service is configured for one, a header that they add, a public
    name in `Host` (which also keeps out a page whose name was made to lead here).
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
    except ValueError:  # a unix socket has none
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _text(text: str, status: int) -> HttpResponse:
    headers = {"Cache-Control": "no-store"}
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8", headers=headers)
