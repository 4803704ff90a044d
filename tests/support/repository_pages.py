"""The pages of repositories in the admin: their addresses, what their form sends, and who asks."""

from __future__ import annotations

from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from gitsync.models import Repository

LIST = "/admin/gitsync/repository/"


def page(repository: Repository) -> str:
    return f"{LIST}{repository.pk}/change/"


def values(repository: Repository, **changes: str) -> dict[str, str]:
    form = {
        "name": repository.name,
        "url": repository.url,
        "ref": repository.ref,
        "subpath": repository.subpath,
        "credential": repository.credential_id or "",
        "include": repository.include,
        "verify": repository.verify,
        "verify_keys": repository.verify_keys_id or "",
        "allow_empty": "on",
        "owner": repository.owner,
        "enabled": "on",
        "interval_ms": "",
    }
    return {**form, **changes}


def staff(name: str, *codenames: str, groups: tuple[Group, ...] = ()) -> Client:
    user = User.objects.create_user(name, password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    user.groups.set(groups)
    client = Client()
    client.force_login(user)
    return client
