"""Fixtures that the tests of repositories share."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitsync.models import DeclarationState, Repository
from gitsync.sync.run import sync_repository
from kiok.cluster.models import LeaderLease
from tests.integration.conftest import yaml_dag
from tests.support.declarations import follow
from tests.support.servers.repositories import WorkRepo


@pytest.fixture
def declared(work_repo: WorkRepo, tmp_path: Path) -> dict[str, str]:
    """Return the environment that declares `here` in the property and `there` in the file."""
    file = tmp_path / "repositories.yaml"
    file.write_text(f"- name: there\n  url: {work_repo.file_url}\n  subpath: sub\n")
    return {
        "KIOK_GITSYNC_REPOS": f"here|{work_repo.file_url}|main|",
        "KIOK_GITSYNC_REPOS_FILE": str(file),
    }


@pytest.fixture
def environ(
    declared: dict[str, str], work_repo: WorkRepo, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """Sync both declared repositories, which gives three DAGs, and return their environment."""
    work_repo.publish({"a.yaml": yaml_dag("a"), "sub/b.yaml": yaml_dag("b")})
    assert follow(declared, monkeypatch) == ["here", "there"]
    for repository in Repository.objects.all():
        assert sync_repository(repository.pk).ok
    LeaderLease.objects.update_or_create(pk=1, defaults={"holder": "", "expires_at": None})
    DeclarationState.objects.all().delete()
    return declared
