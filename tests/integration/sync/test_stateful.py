"""Two thousand random steps over several repositories, each held to the reference model.

Pushes, forced pushes, moved tags, files that break and are fixed, renames, edits of the configuration, pauses, syncs
to their end, syncs killed anywhere, syncs in the midst of which something happens, syncs side by side. More on request:

    KIOK_STATEFUL_STEPS=20000 KIOK_STATEFUL_SEED=7 .venv/bin/python -m pytest tests/integration/sync/test_stateful.py

With KIOK_STATEFUL_SHRINK=1 a failure is made as short as it can be, which takes minutes.
"""

from __future__ import annotations

import itertools
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import hypothesis
import psycopg
import pytest
from django.db import OperationalError, connection
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from gitsync import tasks
from gitsync.models import Repository, Trigger
from kiok.server import embedded
from tests.support.environment import url_of
from tests.support.queue_state import run_now
from tests.support.reference.authoring import (
    failing_python,
    python_file,
    unreadable_yaml,
    yaml_file,
    yaml_without_dag,
)
from tests.support.reference.model import Authored
from tests.support.reference.remote import Remote
from tests.support.stateful.nursery import Nursery
from tests.support.stateful.world import BEFORE_APPLY, FOLLOWED, MAIN, OTHER, TAG, Configured, World

STEPS = int(os.environ.get("KIOK_STATEFUL_STEPS", "2000"))
SEED = int(os.environ.get("KIOK_STATEFUL_SEED", "0"))
PHASES = [Phase.generate, *([Phase.shrink] if os.environ.get("KIOK_STATEFUL_SHRINK") else [])]
# The steps are walked in so many tests, each with a seed of its own.
PARTS = 4
STEPS_OF_AN_EXAMPLE = 50
# A sync of a new commit takes about so many.
MAX_STATEMENTS = 45

PATHS = ("a.yaml", "a/x.yaml", "a/y.yml", "b/x.yaml", "b/deep/z.yaml")
DAGS = ("x", "y", "z")

Edits = Mapping[str, Authored | None]

pytestmark = pytest.mark.django_db(transaction=True)

scripts = st.dictionaries(
    st.sampled_from(DAGS), st.sampled_from(["echo 1", "echo 2"]), min_size=1, max_size=2
)
comments = st.sampled_from(["", "one", "two"])


@st.composite
def files(draw: st.DrawFn) -> Authored:
    """A YAML file of any kind, most of them good."""
    kind = draw(st.sampled_from(["good", "good", "good", "in part", "unreadable", "no DAG"]))
    if kind == "unreadable":
        return unreadable_yaml(draw(comments))
    if kind == "no DAG":
        return yaml_without_dag(draw(comments))
    given = draw(scripts)
    broken = draw(st.sets(st.sampled_from(sorted(given)), min_size=1)) if kind == "in part" else ()
    return yaml_file(given, draw(comments), broken)


edits = st.dictionaries(
    st.sampled_from(PATHS), st.one_of(files(), files(), st.none()), min_size=1, max_size=3
)
# What is pushed right before a sync, so that most have something to do: files, or a commit from so many
# before.
news = st.one_of(edits, edits, st.integers(1, 3), st.none())
remotes = st.integers(0, 1)
repositories = st.integers(0, 2)
branches = st.sampled_from([MAIN, MAIN, MAIN, OTHER])
configurations = st.one_of(
    st.fixed_dictionaries({"ref": st.sampled_from(["main", "main", *FOLLOWED])}),
    st.fixed_dictionaries({"subpath": st.sampled_from(["", "a", "b", "b/deep", "nowhere"])}),
    st.fixed_dictionaries({"enabled": st.booleans()}),
)
steps = st.sampled_from([*BEFORE_APPLY, "finish"])


class Deploying(RuleBasedStateMachine):
    """The events of a service and its repositories, in any order."""

    folder: ClassVar[Path]
    template: ClassVar[Path]
    nursery: ClassVar[Nursery]
    numbers: ClassVar[Iterator[int]]
    walked: ClassVar[Counter[str]]

    @initialize(with_python=st.integers(0, 7))
    def begin(self, with_python: int) -> None:
        self.world = World(self.folder / str(next(self.numbers)), self.template, self.nursery)
        self.python_left = 2 if with_python == 7 else 0

    def teardown(self) -> None:
        """Whatever happened: in the end everything can be synced, and is what it must be."""
        if not hasattr(self, "world"):
            return
        for one in self.world.repositories:
            self.world.configure(one, enabled=True)
            self.world.resume(one)
            self.world.sync(one)
        self.world.check()
        self.world.close()

    @invariant()
    def the_store_is_what_the_model_says(self) -> None:
        if hasattr(self, "world"):
            self.world.check()

    # The authors.

    @rule(at=remotes, ref=branches, edits=edits)
    def push(self, at: int, ref: str, edits: Edits) -> None:
        self.walked["push"] += 1
        self.world.remotes[at].edit(ref, edits)

    @rule(at=remotes, ref=branches, edits=edits, back=st.integers(0, 5))
    def force_push(self, at: int, ref: str, edits: Edits, back: int) -> None:
        """History is rewritten: to an earlier commit, or to one without any."""
        self.walked["forced push"] += 1
        served = self.world.remotes[at]
        if back < 5:
            served.go_back(ref, back)
        else:
            served.push(ref, {path: file for path, file in edits.items() if file})

    @rule(at=remotes, old=st.sampled_from(PATHS), new=st.sampled_from(PATHS))
    def rename(self, at: int, old: str, new: str) -> None:
        self.walked["rename"] += 1
        tip = self.world.remotes[at].refs.get(MAIN)
        if tip and old in tip.files and old != new:
            self.world.remotes[at].edit(MAIN, {old: None, new: tip.files[old]})

    @rule(at=remotes, back=st.integers(0, 5))
    def move_the_tag(self, at: int, back: int) -> None:
        self.walked["tag"] += 1
        self.world.remotes[at].go_back(TAG, back)

    @rule(at=remotes, ref=st.sampled_from([MAIN, OTHER, TAG]))
    def delete_the_ref(self, at: int, ref: str) -> None:
        self.walked["ref deleted"] += 1
        self.world.remotes[at].remove(ref)

    @precondition(lambda self: self.python_left > 0)
    @rule(at=remotes, given=scripts, fails=st.booleans(), path=st.sampled_from(["p.py", "a/p.py"]))
    def push_python(self, at: int, given: dict[str, str], fails: bool, path: str) -> None:
        self.walked["python"] += 1
        self.python_left -= 1
        self.world.remotes[at].edit(MAIN, {path: failing_python() if fails else python_file(given)})

    # The operators.

    @rule(of=repositories, fields=configurations)
    def configure(self, of: int, fields: dict[str, Any]) -> None:
        self.walked["edit"] += 1
        self.world.configure(self.world.repositories[of], **fields)

    @rule(of=repositories, paused=st.sampled_from([True, False, False]))
    def pause_or_resume(self, of: int, paused: bool) -> None:
        self.walked["pause"] += 1
        one = self.world.repositories[of]
        self.world.pause(one) if paused else self.world.resume(one)

    # The service.

    @rule(of=repositories, news=news, full=st.sampled_from([False] * 9 + [True]))
    def sync(self, of: int, news: Edits | int | None, full: bool) -> None:
        self.world.sync(self._chosen("sync", of, news), full=full)

    @rule(of=repositories, news=news)
    def sync_all(self, of: int, news: Edits | int | None) -> None:
        self._chosen("sync all", of, news)
        for one in self.world.repositories:
            self.world.sync(one)

    @rule(of=repositories, news=news, step=steps)
    def sync_killed_in_a_step(self, of: int, news: Edits | int | None, step: str) -> None:
        self.world.sync_killed(self._chosen("kill", of, news), step=step)

    @rule(of=repositories, news=news, statements=st.integers(1, MAX_STATEMENTS))
    def sync_killed_at_a_statement(self, of: int, news: Edits | int | None, statements: int) -> None:
        self.world.sync_killed(self._chosen("kill", of, news), statements=statements)

    @rule(of=repositories, news=news)
    def sync_everything_at_once(self, of: int, news: Edits | int | None) -> None:
        self._chosen("syncs at once", of, news)
        self.world.sync_everything_at_once()

    @rule(of=repositories, news=news, step=steps, fields=configurations)
    def edit_during_a_sync(
        self, of: int, news: Edits | int | None, step: str, fields: dict[str, Any]
    ) -> None:
        one = self._chosen("edit meanwhile", of, news)
        self.world.edit_during_a_sync(one, step, lambda: self.world.configure(one, **fields))

    @rule(of=repositories, news=news, step=steps)
    def pause_during_a_sync(self, of: int, news: Edits | int | None, step: str) -> None:
        one = self._chosen("pause meanwhile", of, news)
        self.world.edit_during_a_sync(one, step, lambda: self.world.pause(one))

    @rule(of=repositories, news=news, step=steps, edits=edits)
    def push_during_a_sync(self, of: int, news: Edits | int | None, step: str, edits: Edits) -> None:
        self.world.push_during_a_sync(self._chosen("push meanwhile", of, news), step, edits)

    @rule(of=repositories, news=news, step=st.sampled_from(["fetch", "compile", "apply", "finish"]))
    def lose_the_claim_during_a_sync(self, of: int, news: Edits | int | None, step: str) -> None:
        self.world.lose_the_claim_during_a_sync(self._chosen("claim lost", of, news), step)

    def _chosen(self, what: str, of: int, news: Edits | int | None) -> Configured:
        """Count the step; the repository that is meant, with these news pushed to what it follows."""
        self.walked[what] += 1
        one = self.world.repositories[of]
        if isinstance(news, int):
            one.served.go_back(FOLLOWED[one.ref], news)
        elif news:
            one.served.edit(FOLLOWED[one.ref], news)
        return one


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    logging.disable(logging.ERROR)  # a failed sync is no news here
    with Nursery() as nursery:
        yield nursery
    logging.disable(logging.NOTSET)


@pytest.fixture
def template(tmp_path: Path) -> Path:
    return Remote(tmp_path / "template.git").directory


@pytest.fixture
def world(tmp_path: Path, template: Path, nursery: Nursery) -> World:
    return World(tmp_path / "world", template, nursery)


@pytest.mark.timeout(3600 + STEPS)
@pytest.mark.parametrize("part", range(PARTS))
def test_the_store_matches_the_model_after_any_events_in_any_order(
    part: int, tmp_path: Path, template: Path, nursery: Nursery
) -> None:
    shared = {"folder": tmp_path, "template": template, "nursery": nursery}
    machine: Any = type("Walk", (Deploying,), {**shared, "numbers": itertools.count(), "walked": Counter()})
    examples = -(-STEPS // PARTS // STEPS_OF_AN_EXAMPLE)
    chosen = settings(
        max_examples=examples,
        stateful_step_count=STEPS_OF_AN_EXAMPLE + 1,  # and the beginning
        deadline=None,
        database=None,
        phases=PHASES,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    print(f"again: KIOK_STATEFUL_STEPS={STEPS} KIOK_STATEFUL_SEED={SEED}, part {part}")  # shown on a failure
    run_machine(
        hypothesis.seed(SEED * PARTS + part)(machine), settings=chosen, _min_steps=STEPS_OF_AN_EXAMPLE
    )
    print(dict(machine.walked))
    assert machine.walked.total() >= STEPS // PARTS


# What the steps have found, each as short as it can be.


def test_a_repository_paused_during_its_probe_is_not_synced(world: World) -> None:
    one = world.repositories[0]
    world.edit_during_a_sync(one, "probe", lambda: world.pause(one))
    world.check()
    world.resume(one)
    world.sync(one)
    world.check()


def test_a_reverted_push_is_reverted_in_the_store_after_a_killed_sync(world: World) -> None:
    one = world.repositories[0]
    world.sync(one)
    one.served.edit(MAIN, {"a.yaml": yaml_file({"x": "echo 2"})})
    world.sync_killed(one, step="finish")
    one.served.go_back(MAIN, 1)
    world.sync(one)
    world.check()


def test_a_repository_whose_worker_died_reports_a_deleted_branch(world: World) -> None:
    one = world.repositories[0]
    statements: list[str] = []

    def count(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        statements.append(sql)
        return execute(sql, *arguments)

    world.sync(one)
    one.served.edit(MAIN, {"a.yaml": yaml_file({"x": "echo 1"})})
    with connection.execute_wrapper(count):
        world.sync(one)
    one.served.edit(MAIN, {"a.yaml": yaml_file({"x": "echo 2"})})
    # All is done but the last two: to give the claim back.
    world.sync_killed(one, statements=len(statements) - 2)
    row = Repository.objects.get(pk=one.pk)
    assert (row.state, bool(row.lease_holder)) == ("in_sync", True)
    assert row.last_outcome
    one.served.remove(MAIN)
    world.sync(one)
    row.refresh_from_db()
    assert (row.state, row.reason) == ("failing", "ref_missing")
    world.check()


def test_a_sync_that_loses_the_database_before_its_lease_can_be_requested(world: World) -> None:
    one = world.repositories[0]
    assert tasks.enqueue_once(one.pk, Trigger.SCHEDULE)

    def lose(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        if sql.startswith("UPDATE") and '"lease_number" =' in sql:
            with psycopg.connect(url_of(embedded.DATABASE), autocommit=True) as another:
                another.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])
        return execute(sql, *arguments)

    with connection.execute_wrapper(lose), pytest.raises(OperationalError):
        run_now(one.pk, Trigger.SCHEDULE)
    connection.close()
    assert tasks.enqueue_once(one.pk, Trigger.SCHEDULE)
    world.sync(one)
    world.check()
