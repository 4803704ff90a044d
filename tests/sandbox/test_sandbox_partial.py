"""A file compiled with part of the commit has the same result as with all of it: real files in real containers."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compilers.partial import MIN_FILES_SAVED
from compilers.result import FileResult
from compilers.sandbox.base import RawResult, SandboxJob
from compilers.sandbox.docker import DockerSandbox
from tests.sandbox.test_sandbox_reuse import REPOSITORY, Files, histories, known_of, outcome
from tests.support.compilation import compile_tree
from tests.support.fake_sandbox import FakeSandbox
from tests.support.trees import MemoryTree

OTHERS = {f"other/{number}.txt": "" for number in range(MIN_FILES_SAVED + 20)}


class Jobs:
    """A sandbox that records for each job the paths to compile and the number of files laid out."""

    def __init__(self, sandbox: DockerSandbox) -> None:
        self._sandbox = sandbox
        self.image_digest = sandbox.image_digest
        self.image_name = FakeSandbox().image_name
        self.limits = sandbox.limits
        self.jobs: list[tuple[list[str], int]] = []

    def run(self, job: SandboxJob) -> Iterator[RawResult]:
        self.jobs.append((list(job.files), len(job.entries)))
        yield from self._sandbox.run(job)


@settings(
    max_examples=8,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(commits=histories(), subpath=st.sampled_from(["", "dags"]))
def test_part_of_a_commit_has_the_results_of_the_whole(
    sandbox: DockerSandbox, commits: list[Files], subpath: str
) -> None:
    stored: dict[str, FileResult] = {}
    for files in commits:
        tree = MemoryTree({**files, **OTHERS})
        known = {path: known_of(result) for path, result in stored.items()}
        whole = {
            item.source.path: item for item in compile_tree(tree, sandbox=sandbox, subpath=subpath).files
        }
        incremental = compile_tree(tree, sandbox=sandbox, subpath=subpath, known=known)
        for result in incremental.files:
            path = result.source.path
            if not result.reused:
                stored[path] = result
            assert outcome(stored[path]) == outcome(whole[path]), (path, stored[path].traced_accesses, files)
        stored = {path: stored[path] for path in whole}


def test_a_changed_file_gets_only_the_files_that_it_reads(sandbox: DockerSandbox) -> None:
    before = compile_tree(MemoryTree({**REPOSITORY, **OTHERS}), sandbox=sandbox)
    known = {
        result.source.path: known_of(result) for result in before.files if result.traced_accesses != ("*",)
    }
    text = REPOSITORY["dags/through.py"] + "# changed\n"
    jobs = Jobs(sandbox)
    changed = {**REPOSITORY, **OTHERS, "dags/through.py": text}
    del changed["dags/runs.py"]  # it starts a process, so it is compiled each time
    result = compile_tree(MemoryTree(changed), sandbox=jobs, known=known)
    assert not result.failed
    assert jobs.jobs == [(["dags/through.py"], 3)]  # itself, middle.py and helper.py


def test_a_changed_file_that_reads_another_is_compiled_again_with_all(sandbox: DockerSandbox) -> None:
    before = compile_tree(MemoryTree({**REPOSITORY, **OTHERS}), sandbox=sandbox)
    known = {
        result.source.path: known_of(result) for result in before.files if result.traced_accesses != ("*",)
    }
    changed = {**REPOSITORY, **OTHERS, "dags/none.py": REPOSITORY["dags/direct.py"]}
    del changed["dags/runs.py"]
    jobs = Jobs(sandbox)
    result = compile_tree(MemoryTree(changed), sandbox=jobs, known=known)
    assert not result.failed
    assert jobs.jobs == [(["dags/none.py"], 1), (["dags/none.py"], len(changed))]
