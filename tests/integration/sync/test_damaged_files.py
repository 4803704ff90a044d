"""No damage to a file makes a DAG disappear without proof: more than 500 damaged repositories, each time the same ones.

Each repository is a folder of one git repository, so that they are synced together: real git, the real compilers and
containers, a real PostgreSQL.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from random import Random

import pytest

from gitsync.models import FileState, RepositoryState, SourceFile
from kiok.metadata.models import Dag
from tests.integration.conftest import Configure, Sync
from tests.sandbox.javac import compile_jar
from tests.support.damage.good import GoodFile, files_of
from tests.support.damage.kinds import ANYWHERE, KNOWN, damaged
from tests.support.damage.oracle import is_proof
from tests.support.servers.repositories import WorkRepo

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(1500)]

REPOSITORIES = 560
WITH_JAR = 20  # of them; a JVM takes its time
MOST_PROVEN = REPOSITORIES // 10  # a judge that takes much for proof would make the test blind
JAVA = """
import com.cloudcheflabs.kiok.sdk.Dag;
import com.cloudcheflabs.kiok.sdk.KiokDag;
public class Flow implements KiokDag {
    public Dag define() {
        Dag dag = new Dag("from_jar");
        dag.task("a").shell("echo a");
        return dag;
    }
}
"""


@dataclass(frozen=True)
class Case:
    """One repository, and the damage to one of its files."""

    files: list[GoodFile]
    hit: GoodFile
    kind: str
    content: bytes

    def __str__(self) -> str:
        return f"{self.hit.path} ({self.kind}):\n{self.hit.content!r}\n became\n{self.content[:2000]!r}"


def cases(random: Random, jar: bytes) -> list[Case]:
    made = []
    for number in range(REPOSITORIES):
        has_jar = number < WITH_JAR
        files = files_of(random, f"r{number:03}", jar if has_jar else None)
        hit = files[-1] if has_jar else random.choice(files)
        made.append(Case(files, hit, *damaged(random, hit.content)))
    return made


def test_no_damage_to_a_file_makes_a_dag_disappear_without_proof(
    work_repo: WorkRepo, sync: Sync, configure: Configure, record_property: pytest.RecordProperty
) -> None:
    seed = int(os.environ.get("KIOK_TEST_DAMAGE_SEED", "20261129"))
    configure(gitsync_sync_timeout_ms=1_200_000)
    tried = cases(Random(seed), compile_jar({"Flow.java": JAVA}))
    work_repo.publish({file.path: file.content for case in tried for file in case.files})
    before = sync()
    served = {uid for case in tried for file in case.files for uid in file.uids("team")}
    assert before.state == RepositoryState.IN_SYNC, before.failed[:5]
    assert set(before.created) == served

    work_repo.publish({case.hit.path: case.content for case in tried})
    report = sync()

    assert report.state == RepositoryState.DEGRADED
    assert not report.ok
    failed = {item.path for item in report.failed}
    left = dict(Dag.objects.values_list("uid", "stale_reason"))
    proven = Counter[str]()
    wrong = []
    for case in tried:
        for file in case.files:
            lost = file.uids("team") - left.keys()
            stale = {uid for uid in file.uids("team") - lost if left[uid] is not None}
            if lost and not (file is case.hit and is_proof(file.path, case.content)):
                wrong.append(f"{case}\nlost {lost}")
            if stale and not (file is case.hit and file.path in failed and stale <= set(report.stale)):
                wrong.append(f"{case}\nis not named, though {stale} are stale")
            proven[case.kind] += bool(lost)
    assert not wrong, f"seed {seed}, {len(wrong)} of {len(tried)}:\n" + "\n\n".join(wrong)
    rows = SourceFile.objects.filter(state__in=[FileState.NOT_A_DAG, FileState.FAILED])
    assert [row.path for row in rows if not row.diagnostics or not row.diagnostics[0]["message"]] == []
    assert failed <= {case.hit.path for case in tried}
    assert set(report.pruned) == served - left.keys()

    record_property("damaged repositories", len(tried))
    record_property("files that failed", len(failed))
    record_property("DAGs that the damaged file proved to be gone", dict(proven))
    print(
        f"{len(tried)} damaged repositories (seed {seed}); {len(failed)} files failed; gone by proof: {proven}"
    )
    assert len(tried) >= 500
    assert {case.kind for case in tried} == {*KNOWN, *ANYWHERE}
    assert len(failed) > REPOSITORIES / 2
    assert proven.total() <= MOST_PROVEN

    work_repo.publish({case.hit.path: case.hit.content for case in tried})
    assert sync().state == RepositoryState.IN_SYNC
    assert set(Dag.objects.filter(stale_since=None).values_list("uid", flat=True)) == served
