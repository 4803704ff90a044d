"""The Docker engine goes away in the midst of a compile: nobody's file is blamed, and what served goes on serving."""

from __future__ import annotations

from collections.abc import Callable

from gitsync.models import SourceFile, SyncRun
from kiok.metadata.models import Dag
from tests.faults.service import Service
from tests.faults.team import Team, slow_python
from tests.integration.cluster import eventually
from tests.reference.authoring import python_file, yaml_file

NewTeam = Callable[..., Team]


def test_an_engine_that_is_restarted_while_it_compiles_blames_no_file_and_the_next_sync_is_good(
    service: Service, new_team: NewTeam
) -> None:
    team = new_team("engineless", interval_ms=1000)
    team.push({"p.py": python_file({"p": "echo 1"}), "q.py": python_file({"q": "echo 1"})})
    team.deploys(20)
    team.push(
        {
            "p.py": slow_python("p", 3, "echo 2"),
            "q.py": python_file({"q": "echo 2"}),
            "y.yaml": yaml_file({"y": "echo 2"}),
        }
    )
    eventually(lambda: team.sync_in("compile") and service.engine.containers(), 20, "it compiles")
    under_way = team.sync_in("compile")
    assert under_way is not None
    service.engine.kill()
    try:
        ended = SyncRun.objects.filter(pk=under_way.pk).exclude(state="running")
        eventually(ended.exists, 30, "the sync has noticed")
        run = ended.get()
        assert run.reason == "sandbox_unavailable", (run.reason, run.message, run.log)
        assert "no Docker engine answers" in run.message
        # An engine that is away is the operator's matter: the authors' files say so, and their DAGs serve.
        assert set(
            Dag.objects.filter(repository=team.name, uid__contains=".py").values_list("version", flat=True)
        ) == {1}
        for file in SourceFile.objects.filter(repository=team.pk, path__endswith=".py"):
            assert "sandbox unavailable" in str(file.diagnostics), file.diagnostics
    finally:
        service.engine.start()
    team.deploys(60)
