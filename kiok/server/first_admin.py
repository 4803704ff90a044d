"""The first person who can log in."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from django.contrib.auth.models import User
from django.db import transaction

USERNAME = "admin"


@dataclass(frozen=True, slots=True)
class FirstAdmin:
    """A user just made; the password exists nowhere else."""

    username: str
    password: str = field(repr=False)


def make_first_admin() -> FirstAdmin | None:
    """Make the superuser `admin` with a random password, unless there is a superuser already."""
    with transaction.atomic():
        if User.objects.filter(is_superuser=True).exists() or User.objects.filter(username=USERNAME).exists():
            return None
        password = secrets.token_urlsafe(15)
        User.objects.create_superuser(USERNAME, password=password)
    return FirstAdmin(USERNAME, password)
