"""The first steps on the overview of a new installation: credential, repository, first push."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString

from kiok.connections.models import Connection
from kiok.metadata.models import DagVersion


@dataclass(frozen=True, slots=True)
class FirstStep:
    """A step: what to do, what it is for, where, and whether it is done. `url` is empty if the user may not do it."""

    name: str
    text: str
    url: str
    is_done: bool


def shown(user: Any, repositories: int, dags: int) -> SafeString | str:
    """Return the steps as HTML; nothing once there was a DAG, or for a user who may not add repositories.

    `repositories` and `dags`: the numbers that the user may see.
    """
    if dags or not user.has_perm("gitsync.add_repository") or DagVersion.objects.exists():
        return ""
    has_credential = Connection.objects.filter(type=Connection.Type.GIT).exists()
    may_add = user.has_perm("connections.add_connection")
    steps = (
        FirstStep(
            "Add a credential",
            "A connection of type git, with the key or token of a private repository. A public one needs none.",
            f"{reverse('admin:connections_connection_add')}?type={Connection.Type.GIT}" if may_add else "",
            has_credential,
        ),
        FirstStep(
            "Add a repository",
            "Its URL and branch; for a private one, the credential. Its files are compiled at once.",
            reverse("admin:gitsync_repository_add"),
            repositories > 0,
        ),
        FirstStep(
            "Push a DAG",
            "A YAML, Python or jar file with a DAG. It appears here with the next check.",
            "",
            False,
        ),
    )
    return render_to_string("gitsync/first_steps.html", {"steps": steps})
