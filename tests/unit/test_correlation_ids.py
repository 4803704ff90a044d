"""Correlation ids: accepted values, and their scope."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextvars import copy_context
from functools import partial

import pytest

from compilers.formats.python import PYTHON
from compilers.sandbox.base import CompileOutcome, RawResult, SandboxJob
from compilers.sandbox.container import claimed_name, owner_in_name
from compilers.sandbox.sharding import run_sharded
from kiok import correlation


@pytest.mark.parametrize(
    "text", ["a", "7", "72d3162e-cc78-11e3-81ab-4c9367dc0958", "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", "A" * 64]
)
def test_id_of_plain_characters_is_accepted(text: str) -> None:
    assert correlation.taken(text) == text


@pytest.mark.parametrize(
    "text",
    ["", " ", "a b", "a\n", "\na", "-a", ".a", "a/b", "a:b", "{a}", "é", "a\x00", "[a]", "A" * 65, "٣"],
)
def test_other_ids_are_replaced_by_a_new_one(text: str) -> None:
    made = {correlation.taken(text) for _ in range(3)}
    assert len(made) == 3
    assert text not in made
    assert all(correlation.is_well_formed(one) for one in made)


def test_nested_block_keeps_the_id_unless_it_sets_one() -> None:
    assert correlation.current() == ""
    with correlation.bound() as outer:
        with correlation.bound(repository="team") as same:
            assert same == outer == correlation.current()
            assert correlation.fields() == {"correlation_id": outer, "repository": "team"}
        with correlation.bound("another") as inner:
            assert inner == correlation.current() == "another"
        assert correlation.fields() == {"correlation_id": outer}
    assert correlation.fields() == {}


def test_thread_has_an_id_only_with_a_copy_of_the_context() -> None:
    seen: list[str] = []

    def look() -> None:
        seen.append(correlation.current())

    with correlation.bound("an-id"):
        for target in (look, partial(copy_context().run, look)):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
    assert seen == ["", "an-id"]


def test_containers_of_a_job_have_its_id() -> None:
    seen: set[tuple[str, str]] = set()

    def run(part: SandboxJob) -> Generator[RawResult, None, None]:
        seen.add((threading.current_thread().name, correlation.current()))
        yield RawResult(path=part.files[0], outcome=CompileOutcome.LOST)

    jobs = [SandboxJob(PYTHON, [name], [], None) for name in ("a.py", "b.py")]
    with correlation.bound("an-id"):
        assert len(list(run_sharded(jobs, run))) == 2
    assert seen == {("sandbox-part-0", "an-id"), ("sandbox-part-1", "an-id")}


@pytest.mark.parametrize("known", ["", "an-id_7.x"])
@pytest.mark.parametrize("owner", ["", "17", "host/boot/7"])
def test_container_name_contains_the_owner_and_the_id(owner: str, known: str) -> None:
    name = claimed_name({"kiok.sync": owner, "kiok.correlation": known})
    assert owner_in_name(name) == owner_in_name(f"/{name}") == owner
    assert name.endswith(f".{known}") if known else name.count(".") == 1


def test_container_name_contains_no_invalid_id() -> None:
    assert claimed_name({"kiok.sync": "1", "kiok.correlation": "a/b"}).count(".") == 1
