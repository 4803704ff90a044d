"""Logging and counting of refused logins and tokens. Neither shows the password or token."""

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
    """Log and count a refused login; receives Django's `user_login_failed`."""
    user = _shown_user(credentials.get("username"))
    if getattr(request, "axes_locked_out", False):
        reason = f"too many attempts; locked out for up to {cool_off(request)}"
        record(FailureKind.LOCKED_OUT, request, f"login of {user}: {reason}")
    else:
        record(FailureKind.PASSWORD, request, f"login of {user}: wrong password")


def record(kind: FailureKind, request: HttpRequest | None, what: str) -> None:
    """Log and count a refusal. The request does not fail if the database does not answer."""
    address = client_address(request) if request is not None else None
    log.warning("refused %s, from %s", what, address or "an unknown address")
    try:
        rows = AuthenticationFailure.objects.filter(kind=kind)
        if not rows.update(count=F("count") + 1, last_at=Now()):
            AuthenticationFailure.objects.get_or_create(kind=kind, defaults={"last_at": Now()})
            rows.update(count=F("count") + 1, last_at=Now())
    except DatabaseError as exc:
        log.warning("could not count a refused attempt: %s", type(exc).__name__)


def counts() -> dict[str, int]:
    """Return the counts of all kinds. Raises DatabaseError."""
    found = dict(AuthenticationFailure.objects.values_list("kind", "count"))
    return {kind.value: found.get(kind.value, 0) for kind in FailureKind}


def locked_name(request: HttpRequest | None, credentials: Mapping[str, Any] | None) -> str:  # noqa: ARG001
    """Return the name under which attempts are stored: the name of an account, or a digest.

    A name without an account may be a password that was typed into the wrong field.
    """
    name = str((credentials or {}).get("username") or "")
    if _is_account(name):
        return name
    return f"unknown {hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def cool_off(request: HttpRequest | None = None) -> timedelta:  # noqa: ARG001
    """Return how long a name is locked out for an address, counted from the last attempt before the lock."""
    return timedelta(milliseconds=settings.KIOK.web_login_lockout_ms)


def _shown_user(name: Any) -> str:
    return f"user {name!r}" if isinstance(name, str) and _is_account(name) else "an unknown user"


def _is_account(name: str) -> bool:
    if "\0" in name or len(name) > 150:  # longest user name that Django stores
        return False
    try:
        return bool(get_user_model()._default_manager.filter(username=name).exists())
    except DatabaseError:
        return False
