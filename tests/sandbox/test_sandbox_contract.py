"""The contract of every sandbox: the real one, and the fake that replaces it in unit tests."""

from __future__ import annotations

import pytest

from compilers.formats.jar import JAVA
from compilers.formats.python import PYTHON
from compilers.sandbox.base import CompileOutcome, RawResult, Sandbox, SandboxJob, SandboxUnavailable
from compilers.sandbox.config import SandboxConfig
from compilers.sandbox.docker import DockerSandbox
from compilers.sandbox.limits import SandboxLimits
from compilers.sandbox.source_tar import TreeRefused
from tests.support.fake_sandbox import FakeSandbox
from tests.support.trees import MemoryTree

FILES = {
    "b.py": "print('b')\n",
    "a.py": "import os\nos._exit(3)\n",
    "c/d.py": "print('d')\n",
    "data.txt": "x" * 9000,
}
SCRIPT = {
    "b.py": RawResult("b.py", CompileOutcome.OK, payload=b"{}"),
    "a.py": RawResult("a.py", CompileOutcome.EXITED, detail="exit status 3"),
    "c/d.py": RawResult("c/d.py", CompileOutcome.OK, payload=b"{}"),
}


@pytest.fixture(params=["real", "fake"])
def any_sandbox(request: pytest.FixtureRequest, python_image: str) -> Sandbox:
    limits = SandboxLimits(src_bytes=1 << 16, src_inodes=8)
    if request.param == "fake":
        return FakeSandbox(SCRIPT, limits=limits, digests={PYTHON: "sha256:" + "0" * 64})
    return DockerSandbox(SandboxConfig(images={PYTHON: python_image}, limits=limits))


@pytest.fixture(params=["real", "fake"])
def no_sandbox(request: pytest.FixtureRequest, python_image: str) -> Sandbox:
    if request.param == "fake":
        return FakeSandbox(SCRIPT, unavailable="there is no engine")
    return DockerSandbox(
        SandboxConfig(images={PYTHON: python_image}, engine_url="unix:///nowhere/docker.sock")
    )


def job(files: list[str], extra: dict[str, str] | None = None) -> SandboxJob:
    tree = MemoryTree({**FILES, **(extra or {})})
    return SandboxJob(PYTHON, files, tree.entries, tree)


def test_the_name_of_an_image_is_the_given_one_or_the_sandboxes_own(any_sandbox: Sandbox) -> None:
    assert any_sandbox.image_name(PYTHON, "team:1") == "team:1"
    assert any_sandbox.image_name(PYTHON)


def test_every_file_has_one_result_in_the_jobs_order(any_sandbox: Sandbox) -> None:
    results = list(any_sandbox.run(job(["b.py", "a.py", "c/d.py"])))
    assert [(result.path, result.outcome) for result in results] == [
        ("b.py", CompileOutcome.OK),
        ("a.py", CompileOutcome.EXITED),
        ("c/d.py", CompileOutcome.OK),
    ]


def test_only_delivered_results_have_a_payload(any_sandbox: Sandbox) -> None:
    for result in any_sandbox.run(job(["b.py", "a.py"])):
        assert bool(result.payload) is (result.outcome is CompileOutcome.OK)


def test_a_job_without_files_has_no_results(any_sandbox: Sandbox) -> None:
    assert list(any_sandbox.run(job([]))) == []


def test_the_digest_of_an_image_is_a_sha256(any_sandbox: Sandbox) -> None:
    assert any_sandbox.image_digest(PYTHON).startswith("sha256:")
    assert any_sandbox.image_digest(PYTHON) == any_sandbox.image_digest(PYTHON)


def test_a_kind_without_an_image_is_unavailable(any_sandbox: Sandbox) -> None:
    with pytest.raises(SandboxUnavailable, match="no image is configured for jar files"):
        any_sandbox.image_digest(JAVA)


def test_without_an_engine_it_raises_before_the_first_result(no_sandbox: Sandbox) -> None:
    with pytest.raises(SandboxUnavailable):
        next(iter(no_sandbox.run(job(["b.py"]))))
    with pytest.raises(SandboxUnavailable):
        no_sandbox.image_digest(PYTHON)


def test_a_tree_over_the_limit_of_bytes_is_refused_with_the_numbers(any_sandbox: Sandbox) -> None:
    with pytest.raises(
        TreeRefused, match=r"takes 94208 bytes .* at most 65536 .*kiok.sandbox.src.bytes = 65536"
    ):
        list(any_sandbox.run(job(["b.py"], {"big": "x" * 65_537})))


def test_a_tree_over_the_limit_of_inodes_is_refused_with_the_numbers(any_sandbox: Sandbox) -> None:
    with pytest.raises(
        TreeRefused, match=r"has 9 files and folders; at most 8 .*kiok.sandbox.src.inodes = 8"
    ):
        list(any_sandbox.run(job(["b.py"], {"e/f/g": ""})))


def test_a_file_that_is_not_in_the_tree_is_refused(any_sandbox: Sandbox) -> None:
    with pytest.raises(TreeRefused, match=r"'absent.py' is to be compiled but not among"):
        list(any_sandbox.run(job(["absent.py"])))
