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
def environ(
    work_repo: WorkRepo, transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """Two repositories, `here` in the property and `there` in the file, both synced: three DAGs. Their environment."""
    work_repo.publish({"a.yaml": yaml_dag("a"), "sub/b.yaml": yaml_dag("b")})
    file = tmp_path / "repositories.yaml"
    file.write_text(f"- name: there\n  url: {work_repo.file_url}\n  subpath: sub\n")
    declared = {
        "KIOK_GITSYNC_REPOS": f"here|{work_repo.file_url}|main|",
        "KIOK_GITSYNC_REPOS_FILE": str(file),
    }
    assert follow(declared, monkeypatch) == ["here", "there"]
    for repository in Repository.objects.all():
        assert sync_repository(repository.pk).ok
    LeaderLease.objects.update_or_create(pk=1, defaults={"holder": "", "expires_at": None})
    DeclarationState.objects.all().delete()
    return declared
