"""Who asks, and what they may: a token, its scopes, and its user's permissions.

401: no token, or none that counts. 403: a scope or a permission is lacking, which depends on the caller alone. What a
caller may not see is answered as what is not there: 404.
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


@dataclass(frozen=True, slots=True)
class Caller:
    """The token that came with the request, and its user."""

    user: Any
    token: ApiToken

    def may(self, permission: str) -> bool:
        """Whether the user has a permission of Django's."""
        return bool(self.user.has_perm(permission))

    def require(self, permission: str, what: str) -> None:
        """Raises Refused (403) unless the user has the permission."""
        if not self.may(permission):
            raise ApiRefusal(403, f"{what} needs the permission {permission}.", code="permission")


class ApiRequest(HttpRequest):
    """A request as operations get it."""

    auth: Caller


class BearerToken(HttpAuthBase):
    """Lets those through whose token has the scope, and whose user has the permissions."""

    openapi_scheme = "bearer"

    def __init__(self, scope: TokenScope | None = None, *permissions: str) -> None:
        super().__init__()
        self.scope = scope
        self.permissions = permissions

    def __call__(self, request: HttpRequest) -> Caller:
        caller = caller_of(request)
        if self.scope and self.scope not in caller.token.scopes:
            raise ApiRefusal(
                403,
                f"This needs a token with the scope {self.scope.value}.",
                code="scope",
                headers={
                    "WWW-Authenticate": f'{REALM}, error="insufficient_scope", scope="{self.scope.value}"'
                },
            )
        for permission in self.permissions:
            caller.require(permission, "This")
        return caller


def caller_of(request: HttpRequest) -> Caller:
    """Whose token comes with the request. Raises Refused (401)."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    text = text.strip()
    if scheme.lower() != "bearer" or not text:
        raise _refused("Send a token: Authorization: Bearer kiok_….", "")
    # The digest is looked up, not compared: how long that takes tells nothing of the text.
    found = (
        ApiToken.objects.select_related("user").filter(digest=token_text.digest(text)).first()
        if token_text.is_token(text)
        else None
    )
    if found is None or not found.user.is_active:
        why = "unknown" if found is None else f"of user {found.user.username!r}, which is switched off"
        record(FailureKind.API_TOKEN, request, f"an API token: {why}")
        raise _refused("The token is unknown: it was mistyped, or removed, or its user is switched off.")
    now = timezone.now()
    if found.expires_at <= now:
        raise _refused(f"The token expired at {found.expires_at.isoformat(timespec='seconds')}.")
    if found.last_used_at is None or found.last_used_at < now - token_text.USE_NOTED_AFTER:
        earlier = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - token_text.USE_NOTED_AFTER)
        ApiToken.objects.filter(earlier, pk=found.pk).update(last_used_at=now)
    return Caller(found.user, found)


def _refused(detail: str, error: str = ', error="invalid_token"') -> ApiRefusal:
    return ApiRefusal(401, detail, headers={"WWW-Authenticate": REALM + error})
