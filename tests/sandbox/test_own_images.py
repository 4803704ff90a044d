"""Images that teams build FROM the service's: what they may add, and what they cannot change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import docker
import pytest

from compilers.formats.jar import JAVA
from compilers.formats.python import PYTHON
from compilers.result import FileResult, FileStatus
from compilers.sandbox.base import CompileOutcome, ImageMismatch, ImageMissing, SandboxUnavailable
from compilers.sandbox.config import LABEL_SERVICE, SandboxConfig
from compilers.sandbox.docker import DockerSandbox
from compilers.sandbox.protocol import VERSION
from tests.sandbox.conftest import JobOf
from tests.sandbox.javac import compile_jar
from tests.support.compilation import compile_tree
from tests.support.fake_sandbox import FakeSandbox
from tests.support.images import image_from
from tests.support.trees import MemoryTree

DAG = "from kiok import Dag\nfrom team_library.names import NAME\ndag = Dag(NAME)\ndag.task('t', script='true')\n"
LIBRARY = {"team_library/__init__.py": "", "team_library/names.py": "NAME = 'from_the_library'\n"}
ROOT = Path(__file__).resolve().parents[2]


def recipe() -> str:
    """Return the Dockerfile of docs/operate/sandbox-images.md, without its base and without its downloads."""
    text = (ROOT / "docs" / "operate" / "sandbox-images.md").read_text(encoding="utf-8")
    block = text.partition("```dockerfile\n")[2].partition("```")[0].replace("\\\n", "")
    lines = [line for line in block.splitlines() if not line.startswith(("FROM ", "RUN apt-get "))]
    assert [line.split()[0] for line in lines] == ["USER", "COPY", "USER"]
    return "\n".join(lines)


TEAM = recipe()


@pytest.fixture
def sandbox(python_image: str) -> DockerSandbox:
    return DockerSandbox(SandboxConfig(images={PYTHON: python_image}))


def compiled(sandbox: DockerSandbox, image: str = "") -> FileResult:
    images = {"python": image} if image else {}
    (result,) = compile_tree(MemoryTree({"a.py": DAG}), sandbox=sandbox, images=images).files
    return result


def test_a_dag_imports_the_library_of_the_configured_image_only(
    sandbox: DockerSandbox, python_image: str
) -> None:
    with image_from(python_image, TEAM, LIBRARY) as team:
        with_it = compiled(sandbox, team)
        without = compiled(sandbox)
    assert [dag.id for dag in with_it.dags] == ["from_the_library"]
    assert with_it.image not in (None, sandbox.image_digest(PYTHON))
    assert without.status is FileStatus.FAILED
    assert "ModuleNotFoundError: No module named 'team_library'" in without.diagnostics[0].message


def test_a_missing_image_is_an_error_that_names_it_and_its_field(
    sandbox: DockerSandbox,
) -> None:
    with pytest.raises(ImageMissing) as raised:
        sandbox.image_digest(PYTHON, "kiok-test-no-such:1")
    message = str(raised.value)
    assert (
        "the image 'kiok-test-no-such:1' for python files, named by the repository (imagePython)," in message
    )
    assert "is not on the engine" in message
    assert "FROM the current base of `make images`" in message
    assert "an empty imagePython selects the image of kiok.sandbox.image.python" in message
    result = compiled(sandbox, "kiok-test-no-such:1")
    assert (result.status, result.retry, result.unavailable) == (FileStatus.FAILED, True, "image_missing")
    assert result.diagnostics[0].message == f"sandbox unavailable: {message}"


@pytest.mark.parametrize(("label", "speaks"), [("0", "0"), ("", "unknown")])
def test_an_image_of_another_protocol_is_an_error_that_names_both(
    sandbox: DockerSandbox, python_image: str, label: str, speaks: str
) -> None:
    with image_from(python_image, f'LABEL kiok.protocol="{label}"') as old:
        with pytest.raises(ImageMismatch) as raised:
            sandbox.image_digest(PYTHON, old)
        assert compiled(sandbox, old).unavailable == "image_mismatch"
    message = str(raised.value)
    assert f"{old!r} for python files, named by the repository (imagePython)," in message
    assert f"speaks sandbox protocol {speaks}, this service {VERSION}" in message


def test_an_image_with_a_volume_is_refused(sandbox: DockerSandbox, python_image: str) -> None:
    with (
        image_from(python_image, 'VOLUME ["/var/data", "/scratch"]') as image,
        pytest.raises(ImageMismatch, match=r"declares volumes \(/scratch, /var/data\).*without VOLUME"),
    ):
        sandbox.image_digest(PYTHON, image)


def test_an_image_that_appears_is_used_immediately(sandbox: DockerSandbox, python_image: str) -> None:
    with image_from(python_image, TEAM, LIBRARY) as team:
        client = docker.from_env()
        image = client.images.get(team)
        tag = f"{team}-later"
        assert compiled(sandbox, tag).unavailable == "image_missing"
        image.tag(tag)
        try:
            assert compiled(sandbox, tag).status is FileStatus.COMPILED
        finally:
            client.images.remove(tag)
            client.close()


def test_two_images_of_one_sandbox_are_not_mistaken_for_each_other(
    sandbox: DockerSandbox, python_image: str
) -> None:
    with image_from(python_image, "LABEL a=1") as one, image_from(python_image, "LABEL a=2") as other:
        digests = [sandbox.image_digest(PYTHON, image) for image in (one, other, "", one, other, "")]
    assert len(set(digests[:3])) == 3
    assert digests[:3] == digests[3:]


def test_a_warm_container_serves_only_its_own_image(python_image: str, service: str, job_of: JobOf) -> None:
    sandbox = DockerSandbox(SandboxConfig(images={PYTHON: python_image}, pool_size=1))
    taken: list[bool] = []
    sandbox.pool.on_claim = lambda: taken.append(True)
    try:
        assert sandbox.pool.fill(service, "the maintainer", [PYTHON]).started == 1
        with image_from(python_image, TEAM, LIBRARY) as team:
            (of_team,) = sandbox.run(replace(job_of({"a.py": DAG}), image=team))
            assert taken == []
        (own,) = sandbox.run(job_of({"a.py": DAG}))
        assert taken == [True]
    finally:
        sandbox.pool.clear(service)
    assert b"from_the_library" in of_team.payload
    assert b"ModuleNotFoundError" in own.payload


def test_run_options_of_an_image_are_ignored(
    sandbox: DockerSandbox, python_image: str, job_of: JobOf, engine: docker.DockerClient, service: str
) -> None:
    hostile = """\
USER 0
RUN mkdir -p /opt/evil && echo "print('evil')" > /opt/evil/json.py && cp /opt/evil/json.py /opt/evil/sitecustomize.py
ENV PYTHONPATH=/opt/evil PYTHONSTARTUP=/opt/evil/json.py PYTHONINSPECT=1 PATH=/opt/evil HOME=/root
WORKDIR /opt/evil
ENTRYPOINT ["/bin/sleep"]
CMD ["1000"]
HEALTHCHECK --interval=1s CMD touch /tmp/healthy
STOPSIGNAL SIGSTOP
EXPOSE 80"""
    tries = (
        # Time for a health check to run.
        "import os, time\ntime.sleep(2)\nassert not os.listdir('/tmp'), os.listdir('/tmp')\n"
        "assert os.environ['HOME'] == '/tmp'\nassert os.getuid() >= 20_000\nassert os.getcwd() == '/'\n"
    )
    job = job_of({"a.py": tries, "b.py": "import time\ntime.sleep(25)\n"})
    with image_from(python_image, hostile) as image:
        results = sandbox.run(replace(job, image=image))
        first = next(results)
        (container,) = engine.containers.list(filters={"label": f"{LABEL_SERVICE}={service}"})
        attributes = container.attrs
        results.close()  # type: ignore[attr-defined]
    assert (first.outcome, first.output) == (CompileOutcome.OK, "")
    assert b'"diagnostics":[]' in first.payload, first.payload
    assert attributes["Config"]["Entrypoint"][0] == "/opt/kiok/bin/driver-python"
    assert attributes["Config"]["WorkingDir"] == "/"
    assert attributes["Config"]["Healthcheck"]["Test"] == ["NONE"]
    assert "Health" not in attributes["State"]
    assert attributes["Mounts"] == []
    assert attributes["HostConfig"]["ReadonlyRootfs"] is True


def test_a_jars_virtual_machine_gets_no_options_from_its_image(
    java_image: str, java_builder_image: str
) -> None:
    source = (
        "import com.cloudcheflabs.kiok.sdk.*;\n"
        "public class A implements KiokDag {\n"
        '    public Dag define() {\n        Dag d = new Dag("id" + System.getProperty("evil"));\n'
        '        d.task("t").shell("x");\n        return d;\n    }\n}\n'
    )
    sandbox = DockerSandbox(SandboxConfig(images={JAVA: java_image}))
    with image_from(java_image, 'ENV JAVA_TOOL_OPTIONS="-Devil=yes" JDK_JAVA_OPTIONS="-Devil=yes"') as image:
        (result,) = compile_tree(
            MemoryTree({"a.jar": compile_jar({"A.java": source})}), sandbox=sandbox, images={"jar": image}
        ).files
    assert "idnull" in str(result.dags) + str(result.diagnostics)
    assert "idyes" not in str(result.dags) + str(result.diagnostics)


def test_the_fake_sandbox_has_images_like_the_real_one() -> None:
    fake = FakeSandbox(images={"team:1": "sha256:1"})
    assert fake.image_digest(PYTHON, "team:1") == "sha256:1"
    with pytest.raises(ImageMissing, match="'team:2'"):
        fake.image_digest(PYTHON, "team:2")
    fake.unavailable = "no engine"
    with pytest.raises(SandboxUnavailable, match="no engine"):
        fake.image_digest(PYTHON, "team:1")
