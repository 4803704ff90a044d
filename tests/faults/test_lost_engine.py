"""The Docker engine stops during a compile: no file is blamed, and served DAGs stay served."""

from __future__ import annotations

from gitsync.models import SourceFile, SyncRun
from kiok.metadata.models import Dag
from tests.faults.service import Service
from tests.faults.team import NewTeam, slow_python
from tests.support.cluster import eventually
from tests.support.reference.authoring import python_file, yaml_file


def test_an_engine_restart_during_compile_blames_no_file(service: Service, new_team: NewTeam) -> None:
    team = new_team("engineless", interval_ms=1000)
    team.push({"p.py": python_file({"p": "echo 1"}), "q.py": python_file({"q": "echo 1"})})
    team.deploys()
    team.push(
        {
            "p.py": slow_python("p", 8, "echo 2"),
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
        # A missing engine is a problem for the operator: the files report it, and their DAGs stay served.
        python = Dag.objects.filter(repository=team.name, source_path__endswith=".py")
        assert dict(python.values_list("source_path", "version")) == {"p.py": 1, "q.py": 1}
        files = SourceFile.objects.filter(repository=team.pk, path__endswith=".py")
        reported = {file.path: str(file.diagnostics) for file in files}
        assert sorted(reported) == ["p.py", "q.py"]
        assert all("sandbox unavailable" in text for text in reported.values()), reported
    finally:
        service.engine.start()
    team.deploys()
