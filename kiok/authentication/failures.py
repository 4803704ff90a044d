"""Refused logins and tokens: a log line and a count for each. Neither says what was sent."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import DatabaseError
from django.db.models import F
from django.db.models.functions import Now
from django.http import HttpRequest

from kiok.authentication.client_address import client_address
from kiok.authentication.models import AuthenticationFailure, FailureKind

log = logging.getLogger(__name__)


def on_login_failed(credentials: Mapping[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Log and count a login that was refused; a receiver of Django's `user_login_failed`."""
    user = _shown_user(credentials.get("username"))
    if getattr(request, "axes_locked_out", False):
        reason = f"too many attempts; locked out for up to {cool_off(request)}"
        record(FailureKind.LOCKED_OUT, request, f"login of {user}: {reason}")
    else:
        record(FailureKind.PASSWORD, request, f"login of {user}: wrong password")


def record(kind: FailureKind, request: HttpRequest | None, what: str) -> None:
    """Log and count that something was refused. A database that does not answer fails nobody."""
    address = client_address(request) if request is not None else None
    log.warning("refused %s, from %s", what, address or "an unknown address")
    try:
        rows = AuthenticationFailure.objects.filter(kind=kind)
        if not rows.update(count=F("count") + 1, last_at=Now()):
            AuthenticationFailure.objects.get_or_create(kind=kind, defaults={"last_at": Now()})
            rows.update(count=F("count") + 1, last_at=Now())
    except DatabaseError as exc:
        log.warning("a refused attempt could not be counted: %s", type(exc).__name__)


def counts() -> dict[str, int]:
    """Return the counts of all kinds. Raises DatabaseError."""
    found = dict(AuthenticationFailure.objects.values_list("kind", "count"))
    return {kind.value: found.get(kind.value, 0) for kind in FailureKind}


def locked_name(request: HttpRequest | None, credentials: Mapping[str, Any] | None) -> str:  # noqa: ARG001
    """Return the name that attempts are stored under: that of an account, or a digest.

    A name without an account may be a password that was typed into the wrong field.
    """
    name = str((credentials or {}).get("username") or "")
    if _is_account(name):
        return name
    return f"unknown {hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def cool_off(request: HttpRequest | None = None) -> timedelta:  # noqa: ARG001
    """Return for how long a name is locked out for an address, from the last attempt before the lock on."""
    return timedelta(milliseconds=settings.KIOK.web_login_lockout_ms)


def _shown_user(name: Any) -> str:
    return f"user {name!r}" if isinstance(name, str) and _is_account(name) else "an unknown user"


def _is_account(name: str) -> bool:
    if "\0" in name or len(name) > 150:  # the column of Django's table
        return False
    try:
        return bool(get_user_model()._default_manager.filter(username=name).exists())
    except DatabaseError:
        return False
