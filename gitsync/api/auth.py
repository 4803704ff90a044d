"""Authentication and authorization of API requests: a token, its scopes, and its user's permissions.

401: the token is missing or invalid. 403: a scope or a permission is missing, which depends on the caller alone. 404:
the object does not exist, or the caller may not see it; both get the same response.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from ninja.security.http import HttpAuthBase

from gitsync.api.problems import ApiRefusal
from gitsync.models import ApiToken, TokenScope, token_text
from kiok.authentication.failures import record
from kiok.authentication.models import FailureKind

REALM = 'Bearer realm="kiok API"'

AnyOf = tuple[str, ...]  # permissions, of which one is enough


def alternatives(permission: str | AnyOf) -> AnyOf:
    """Return the permissions of which one is enough."""
    return (permission,) if isinstance(permission, str) else permission


@dataclass(frozen=True, slots=True)
class Caller:
    """The token that was sent with the request, and its user."""

    user: Any
    token: ApiToken

    def may(self, permission: str) -> bool:
        """Return whether the user has a Django permission."""
        return bool(self.user.has_perm(permission))

    def require(self, permission: str | AnyOf, what: str) -> None:
        """Raise Refused (403) unless the user has the permission, or one of the alternatives."""
        names = alternatives(permission)
        if not any(self.may(name) for name in names):
            raise ApiRefusal(403, f"{what} requires the permission {' or '.join(names)}.", code="permission")


class ApiRequest(HttpRequest):
    """A request as operations receive it, with its caller."""

    auth: Caller


class BearerToken(HttpAuthBase):
    """Bearer authentication that requires a scope of the token and permissions of its user."""

    openapi_scheme = "bearer"

    def __init__(self, scope: TokenScope | None = None, *permissions: str | AnyOf) -> None:
        super().__init__()
        self.scope = scope
        self.permissions = permissions

    def __call__(self, request: HttpRequest) -> Caller:
        caller = caller_of(request)
        if self.scope and self.scope not in caller.token.scopes:
            raise ApiRefusal(
                403,
                f"This request requires a token with the scope {self.scope.value}.",
                code="scope",
                headers={
                    "WWW-Authenticate": f'{REALM}, error="insufficient_scope", scope="{self.scope.value}"'
                },
            )
        for permission in self.permissions:
            caller.require(permission, "This request")
        return caller


def caller_of(request: HttpRequest) -> Caller:
    """Return the caller whose token was sent with the request. Raise Refused (401)."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    text = text.strip()
    if scheme.lower() != "bearer" or not text:
        raise _refused("Send a token: Authorization: Bearer kiok_….", "")
    # Look up the digest instead of comparing texts: the time of a lookup reveals nothing about the token's text.
    found = (
        ApiToken.objects.select_related("user").filter(digest=token_text.digest(text)).first()
        if token_text.is_token(text)
        else None
    )
    if found is None or not found.user.is_active:
        why = "unknown" if found is None else f"its user {found.user.username!r} is disabled"
        record(FailureKind.API_TOKEN, request, f"an API token: {why}")
        raise _refused("Unknown token. It was mistyped or deleted, or its user is disabled.")
    now = timezone.now()
    if found.expires_at <= now:
        raise _refused(f"The token expired at {found.expires_at.isoformat(timespec='seconds')}.")
    if found.last_used_at is None or found.last_used_at < now - token_text.USE_NOTED_AFTER:
        earlier = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - token_text.USE_NOTED_AFTER)
        ApiToken.objects.filter(earlier, pk=found.pk).update(last_used_at=now)
    return Caller(found.user, found)


def _refused(detail: str, error: str = ', error="invalid_token"') -> ApiRefusal:
    return ApiRefusal(401, detail, headers={"WWW-Authenticate": REALM + error})
