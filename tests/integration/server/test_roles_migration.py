"""The migration that makes the roles: in an empty database, and in one with groups of the same names."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.management import _get_all_permissions
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command

from gitsync.models import Role
from tests.support.fresh_database import all_rows, fresh_database
from tests.support.roles import ROLES, roles

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE = ("gitsync", "0014_notifications")


def migrate(*target: str) -> None:
    ContentType.objects.clear_cache()
    call_command("migrate", *target, interactive=False, verbosity=0)


def expected_permissions() -> set[tuple[Any, ...]]:
    """Return each permission that Django makes for the models of today: app, model, codename and name."""
    return {
        (model._meta.app_label, model._meta.model_name, *permission)
        for model in apps.get_models()
        for permission in _get_all_permissions(model._meta)
    }


def test_an_empty_database_gets_the_roles_and_no_other_permissions() -> None:
    with fresh_database():
        migrate()
        assert list(Group.objects.order_by("pk").values_list("name", flat=True)) == [*ROLES]
        assert Role.objects.count() == len(ROLES)
        columns = ("content_type__app_label", "content_type__model", "codename", "name")
        assert {*Permission.objects.values_list(*columns)} == expected_permissions()
        held = [{*group.permissions.values_list(*columns[:3])} for group in Group.objects.order_by("pk")]
        assert all(fewer < more for fewer, more in pairwise(held))
        with_pages = {"gitsync", "metadata", "connections", "notifications", "auth", "admin", "django_q"}
        assert held[-1] == {item[:3] for item in expected_permissions() if item[0] in with_pages}
        assert {codename.partition("_")[0] for _, _, codename in held[0]} == {"view"}
        before = all_rows()
        roles()
        assert all_rows() == before
    ContentType.objects.clear_cache()


def test_a_group_with_the_name_of_a_role_stays_as_it_is() -> None:
    with fresh_database():
        migrate()
        Group.objects.all().delete()
        migrate(*BEFORE)
        ours = Group.objects.create(name="Operator")
        may_view = Permission.objects.get(codename="view_dag")
        ours.permissions.set([may_view])
        member = User.objects.create_user("ada")
        member.groups.add(ours)

        migrate()

        assert sorted(Group.objects.values_list("name", flat=True)) == sorted(ROLES)
        assert [*ours.permissions.all()] == [may_view]
        assert [*ours.user_set.all()] == [member]
        marked = Role.objects.values_list("group__name", flat=True)
        assert sorted(marked) == ["Admin", "Editor", "Viewer"]
    ContentType.objects.clear_cache()
