"""Declarations of the repositories `here` and `there`, and their stored rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from django.conf import settings

from gitsync.models import Repository
from gitsync.repositories.declared import follow_declaration
from kiok.metadata.models import Dag
from kiok.server import properties

ALLOW = {"KIOK_GITSYNC_REPOS_ALLOW_EMPTY": "true"}


def stored() -> tuple[list[str], int]:
    names = Repository.objects.order_by("name").values_list("name", flat=True)
    return list(names), Dag.objects.filter(stale_since=None).count()


ALL = (["here", "there"], 3)


def follow(environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Follow the declaration as a process with this environment does. Raises DeclarationError."""
    loaded = properties.load(environ)
    monkeypatch.setattr(
        settings,
        "KIOK",
        replace(
            settings.KIOK,
            gitsync_repos=loaded.gitsync_repos,
            gitsync_repos_file=loaded.gitsync_repos_file,
            file_repositories=loaded.file_repositories,
            invalid_repositories=loaded.invalid_repositories,
            gitsync_repos_allow_empty=loaded.gitsync_repos_allow_empty,
            sources=loaded.sources,
        ),
    )
    return follow_declaration()


def without(environ: Mapping[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in environ.items() if key != name}


BLANK = ("", "  ", ",", " , \t,")
