"""The first person who can log in."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from django.contrib.auth.models import User
from django.db import transaction

from kiok.server.first_start import alone_on

USERNAME = "admin"


@dataclass(frozen=True, slots=True)
class FirstAdmin:
    """A user just made; the password exists nowhere else."""

    username: str
    password: str = field(repr=False)


def make_first_admin() -> FirstAdmin | None:
    """Make the superuser `admin` with a random password, unless there is a superuser already.

    Of processes that start at the same moment one makes it, and has the password.
    """
    with alone_on(), transaction.atomic():
        if User.objects.filter(is_superuser=True).exists() or User.objects.filter(username=USERNAME).exists():
            return None
        password = secrets.token_urlsafe(15)
        User.objects.create_superuser(USERNAME, password=password)
    return FirstAdmin(USERNAME, password)
