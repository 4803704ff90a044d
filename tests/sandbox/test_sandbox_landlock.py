"""A kernel without Landlock: each file gets its own container, and one warning reports it."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import replace

import docker
import pytest

from compilers.sandbox.base import CompileOutcome
from compilers.sandbox.config import LABEL_SERVICE, SandboxConfig
from compilers.sandbox.docker import DockerSandbox
from tests.sandbox.conftest import JobOf
from tests.sandbox.probes import PROBE
from tests.sandbox.profiles import without_landlock

DAG = "from kiok import Dag\ndag = Dag('fine')\ndag.task('t', script='true')\n"


@pytest.fixture
def old_kernel(impatient_config: SandboxConfig) -> DockerSandbox:
    return DockerSandbox(replace(impatient_config, seccomp_profile=without_landlock()))


def started(engine: docker.DockerClient, service: str, since: float) -> int:
    """Return how many containers of the service the engine has started since then."""
    filters = {"event": "start", "label": f"{LABEL_SERVICE}={service}"}
    return len(list(engine.events(since=int(since), until=int(time.time()) + 1, filters=filters)))


def test_without_landlock_each_file_has_its_own_container_and_one_warning(
    old_kernel: DockerSandbox,
    job_of: JobOf,
    caplog: pytest.LogCaptureFixture,
    engine: docker.DockerClient,
    service: str,
) -> None:
    files = {"a.py": DAG, "b.py": DAG.replace("fine", "other")}
    begun = time.time()
    with caplog.at_level(logging.WARNING, "compilers.sandbox.docker"):
        first = list(old_kernel.run(job_of(files)))
        second = list(old_kernel.run(job_of(files)))

    for results in (first, second):
        assert [(result.path, result.outcome) for result in results] == [
            (name, CompileOutcome.OK) for name in files
        ]
    # The first container detected it before any file ran.
    assert started(engine, service, begun) == 1 + 2 * len(files)
    (record,) = [record for record in caplog.records if record.name == "compilers.sandbox.docker"]
    assert "no Landlock" in record.getMessage()
    assert "From now on each file gets its own container" in record.getMessage()


def test_without_landlock_a_file_that_rewrites_its_sibling_harms_nothing(
    old_kernel: DockerSandbox, job_of: JobOf
) -> None:
    rewrite = f"""{PROBE}
import os
os.rename('/src/b.py', '/src/gone')
with open('/src/b.py', 'w') as file:
    file.write("from kiok import Dag\\ndag = Dag('forged')\\ndag.task('t', script='true')\\n")
answer({{'rewritten': open('/src/b.py').read()}})
"""
    culprit, sibling = old_kernel.run(job_of({"a.py": rewrite, "b.py": DAG}))

    assert "forged" in json.loads(culprit.payload)["rewritten"]
    assert [dag["id"] for dag in json.loads(sibling.payload)["dags"]] == ["fine"]


def test_with_landlock_the_same_file_cannot(impatient: DockerSandbox, job_of: JobOf) -> None:
    culprit, sibling = impatient.run(
        job_of({"a.py": "import os\nos.rename('/src/b.py', '/src/gone')\n", "b.py": DAG})
    )

    assert "Permission denied" in json.loads(culprit.payload)["diagnostics"][0]["message"]
    assert [dag["id"] for dag in json.loads(sibling.payload)["dags"]] == ["fine"]
