"""`/groups`: the groups, and the repositories that their members see."""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated

from django.contrib.auth.models import Group
from django.db.models import Count
from ninja import Router
from pydantic import Field

from gitsync.api import pages
from gitsync.api.auth import ApiRequest, BearerToken
from gitsync.api.pages import SORT, Column, Cursor, Limit, Order, Total
from gitsync.api.repositories import VIEW as VIEW_REPOSITORY
from gitsync.api.schemas import ABSENT, Search, Sent
from gitsync.models import Repository, TokenScope

router = Router(tags=["groups"], by_alias=True)

VIEW = "auth.view_group"
BY_NAME = Order(
    (Column("name", str),),
    Column("name", str),
    {"name": Column("name", str), "members": Column("n_members", int)},
)


class GroupOut(Sent):
    """A group. Its members see its repositories, with their DAGs, errors and runs."""

    name: str
    members: int = Field(description="The number of users in the group.")
    repositories: list[str] = Field(
        description="The names of the group's repositories, as far as the caller may view them."
    )


class GroupPage(Sent):
    """A page of groups."""

    items: list[GroupOut]
    next: str | None
    total: Total


@router.get("", response=GroupPage, auth=BearerToken(TokenScope.READ, VIEW), summary="List groups")
def groups(
    request: ApiRequest,
    limit: Limit = pages.DEFAULT_LIMIT,
    cursor: Cursor = ABSENT,
    search: Annotated[Search, Field(description="Text to find in the name.")] = ABSENT,
    sort: Annotated[str, BY_NAME, SORT] = ABSENT,
) -> GroupPage:
    """List the groups with their repositories, ordered by name or by `sort`."""
    rows = Group.objects.filter(name__icontains=search or "").annotate(n_members=Count("user"))
    page = pages.cut(rows, BY_NAME, request, limit, cursor, sort)
    names: dict[int, list[str]] = defaultdict(list)
    if request.auth.may(VIEW_REPOSITORY):
        visible = Repository.objects.visible_to(request.auth.user).filter(groups__in=page.rows)
        for group, name in visible.order_by("name").values_list("groups", "name"):
            names[group].append(name)
    items = [GroupOut(name=row.name, members=row.n_members, repositories=names[row.pk]) for row in page.rows]
    return GroupPage(items=items, next=page.next, total=page.total)
