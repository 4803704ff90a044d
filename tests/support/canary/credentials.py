"""Marked secrets in environments: those of the service, and those of connections."""

from __future__ import annotations

import os
import re
from urllib.parse import quote

from tests.support.canary.marks import Marks
from tests.support.canary.processes import Sight

OWN = {"masterkey", "signingkey", "databasepassword"}  # the secrets of the service in its environment


def own_secrets(marks: Marks) -> dict[str, str]:
    """The environment's secrets. The embedded server asks for no password, so any will do."""
    url = os.environ["DATABASE_URL"]
    assert "://postgres@" in url
    password = quote(marks.secret("databasepassword"), safe="")
    return {
        "DATABASE_URL": url.replace("://postgres@", f"://postgres:{password}@"),
        "DJANGO_SECRET_KEY": marks.secret("signingkey"),
        "KIOK_MASTER_KEY": marks.secret("masterkey"),
    }


def credentials(sight: Sight, marks: Marks) -> set[str]:
    """The names of the credentials in a process's environment."""
    return names_in(sight.environment, marks) - OWN


def names_in(content: bytes, marks: Marks) -> set[str]:
    return {name.decode() for name in re.findall(marks.mark.encode() + rb"\.([a-z]+)", content)}
