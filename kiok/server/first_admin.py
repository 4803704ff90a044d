"""Creation of the first administrator."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from django.contrib.auth.models import User
from django.db import transaction

from kiok.server.first_start import alone_on

USERNAME = "admin"


@dataclass(frozen=True, slots=True)
class FirstAdmin:
    """A newly created user; the password exists nowhere else."""

    username: str
    password: str = field(repr=False)


def make_first_admin() -> FirstAdmin | None:
    """Create the superuser `admin` with a random password, unless a superuser exists already.

    Of processes that start at the same moment, one creates it and has the password.
    """
    with alone_on(), transaction.atomic():
        if User.objects.filter(is_superuser=True).exists() or User.objects.filter(username=USERNAME).exists():
            return None
        password = secrets.token_urlsafe(15)
        User.objects.create_superuser(USERNAME, password=password)
    return FirstAdmin(USERNAME, password)
