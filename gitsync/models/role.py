"""Roles: groups that give their members permissions. All other groups are teams, which own repositories."""

from __future__ import annotations

from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q


class Role(models.Model):
    """The mark of a group that is a role. Without it a group is a team.

    A role owns no repositories and no notification channels: members of every team may have it.
    """

    group = models.OneToOneField(Group, on_delete=models.CASCADE, primary_key=True, related_name="role")

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.group.name


# Conditions on groups.
IS_ROLE = Q(role__isnull=False)
IS_TEAM = Q(role__isnull=True)
