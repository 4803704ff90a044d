"""`/`: the token's user, scopes and permissions."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from ninja import Router
from pydantic import Field

from gitsync.api.auth import ApiRequest, BearerToken
from gitsync.api.schemas import Sent
from gitsync.models.role import IS_ROLE, IS_TEAM
from gitsync.models.visibility import sees_all

router = Router(tags=["token"], by_alias=True)

APPS = ("gitsync", "metadata", "connections", "notifications", "auth")


class TokenOut(Sent):
    """The token that was sent, without its text."""

    name: str
    start: str
    scopes: list[Literal["read", "sync", "write"]]
    created_at: datetime
    expires_at: datetime


class Me(Sent):
    """The user that the token acts for, with scopes and permissions."""

    user: str
    token: TokenOut
    superuser: bool
    sees_all_repositories: bool
    groups: list[str] = Field(description="The user's teams: groups that see repositories.")
    roles: list[str] = Field(description="The user's roles: groups that give permissions.")
    permissions: list[str] = Field(description="The user's permissions that concern kiok.")


@router.get("/", response=Me, auth=BearerToken(), summary="Read the token and its user")
def me(request: ApiRequest) -> Me:
    """Return the token's user, scopes and expiry. Requires no scope."""
    user, token = request.auth.user, request.auth.token
    return Me(
        user=user.get_username(),
        token=TokenOut(
            name=token.name,
            start=token.start,
            scopes=token.scopes,
            created_at=token.created_at,
            expires_at=token.expires_at,
        ),
        superuser=user.is_superuser,
        sees_all_repositories=sees_all(user),
        groups=sorted(user.groups.filter(IS_TEAM).values_list("name", flat=True)),
        roles=sorted(user.groups.filter(IS_ROLE).values_list("name", flat=True)),
        permissions=sorted(name for name in user.get_all_permissions() if name.partition(".")[0] in APPS),
    )
