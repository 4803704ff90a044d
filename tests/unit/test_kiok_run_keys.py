"""The rules of the optional keys for runs, in wire form: time zone, overlap, retries, images."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from kiok import timezones
from kiok.spec import CONTAINER_TYPES, TASK_TYPES
from kiok.validation import REQUIRED_CONFIG
from tests.support.validated import good, only_problem

DAG_DEFAULTS: dict[str, object] = {
    "timezone": "Europe/Berlin",
    "maxActiveRuns": 3,
    "overlap": "skip",
    "catchupWindowMs": 5,
    "params": {"day": {"type": "date"}},
    "retries": 2,
    "retryDelayMs": 0,
}
TASK_KEYS: dict[str, object] = {"retries": 0, "retryDelayMs": 3_600_000, "runs": "always", "image": "a/b:1"}


def dag(task: dict[str, object] | None = None, **fields: object) -> dict[str, Any]:
    return {"id": "d", "tasks": [{"id": "a", "script": "echo", **(task or {})}], **fields}


def test_keys_that_are_not_set_are_absent() -> None:
    absent = dag(dict.fromkeys(TASK_KEYS), **dict.fromkeys(DAG_DEFAULTS))
    assert good(absent).canonical_json() == good(dag()).canonical_json()
    assert good(dag(params={})).canonical_json() == good(dag()).canonical_json()


def test_keys_that_are_set_are_in_the_compiled_form_as_written() -> None:
    spec = good(dag(TASK_KEYS, catchup=True, **DAG_DEFAULTS))
    written = spec.to_json()
    assert {key: written[key] for key in DAG_DEFAULTS} == DAG_DEFAULTS
    assert {key: written["tasks"][0][key] for key in TASK_KEYS} == TASK_KEYS
    assert good(written) == spec


def test_a_default_that_is_written_is_in_the_compiled_form() -> None:
    defaults = {"timezone": "UTC", "maxActiveRuns": 1, "overlap": "queue", "retries": 0}
    written = good(dag({"runs": "on_success"}, **defaults)).to_json()
    assert {key: written[key] for key in defaults} == defaults
    assert written["tasks"][0]["runs"] == "on_success"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("timezone", 1, "must be a string, found the number 1"),
        (
            "timezone",
            "Berlin",
            "'Berlin' is not a time zone; allowed: the name of an IANA time zone, such as",
        ),
        ("maxActiveRuns", 0, "must be a whole number from 1 to 1000, found the number 0"),
        ("maxActiveRuns", 1001, "must be a whole number from 1 to 1000"),
        ("maxActiveRuns", True, "must be a whole number from 1 to 1000, found true"),
        ("maxActiveRuns", "3", "must be a whole number from 1 to 1000, found '3'"),
        ("overlap", "skipp", "must be 'queue' or 'skip', found 'skipp'; did you mean 'skip'?"),
        ("overlap", False, "must be a string, found false"),
        ("retries", -1, "must be a whole number from 0 to 1000"),
        ("retries", 1.0, "must be a whole number from 0 to 1000, found the number 1.0"),
        ("retryDelayMs", -1, "must be 0 or more and within 64 bits"),
        ("retryDelayMs", 3_600_001, "must be at most 3600000 milliseconds"),
        ("retryDelayMs", "5s", "must be a whole number of milliseconds"),
        ("catchupWindowMs", 5, "has an effect only with 'catchup'; set 'catchup' to true, or remove it"),
    ],
)
def test_a_wrong_value_of_a_dag_is_named_with_the_rule(key: str, value: object, said: str) -> None:
    problem = only_problem(dag(**{key: value}))
    assert (problem.dag, problem.task, problem.key, problem.location) == ("d", None, key, (key,))
    assert said in problem.message


@pytest.mark.parametrize("window", [0, 2**63, 3_650 * 86_400_000 + 1])
def test_a_catchup_window_is_at_most_ten_years(window: int) -> None:
    assert only_problem(dag(catchup=True, catchupWindowMs=window)).key == "catchupWindowMs"
    assert good(dag(catchup=True, catchupWindowMs=3_650 * 86_400_000)).catchup_window_ms


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("retries", 1001, "must be a whole number from 0 to 1000"),
        ("retryDelayMs", 3_600_001, "must be at most 3600000 milliseconds"),
        (
            "runs",
            "on_sucess",
            "must be 'on_success' or 'always', found 'on_sucess'; did you mean 'on_success'?",
        ),
        ("runs", True, "must be a string, found true"),
        ("image", "", "'' cannot be used: empty"),
        ("image", "Team/Etl", "'Team/Etl' cannot be used: not an image reference such as team-python:1"),
        ("image", "a:b:c", "not an image reference"),
        ("image", "${conn.a.b}", "not an image reference"),
        pytest.param("image", "a" * 256, "longer than 255 characters", id="256 characters"),
    ],
)
def test_a_wrong_value_of_a_task_is_named_with_the_rule(key: str, value: object, said: str) -> None:
    problem = only_problem(dag({key: value}))
    assert (problem.dag, problem.task, problem.key) == ("d", "a", key)
    assert problem.location == ("tasks", 0, key)
    assert said in problem.message


@pytest.mark.parametrize("type_", TASK_TYPES)
def test_only_tasks_that_run_in_a_container_have_an_image(type_: str) -> None:
    config = dict.fromkeys(REQUIRED_CONFIG.get(type_, ()), "x")
    value = dag({"type": type_, "config": config, "image": "registry.example.com/a@sha256:" + "0" * 64})
    if type_ in CONTAINER_TYPES:
        assert good(value).tasks[0].image
    else:
        said = f"a task of type {type_} runs in no container; allowed with the types shell, python,"
        assert said in only_problem(value).message


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+2"])
def test_names_of_the_time_zone_data_are_time_zones(name: str) -> None:
    assert timezones.timezone_flaw(name) is None


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("europe/berlin", "Europe/Berlin"),
        ("berlin", "Europe/Berlin"),
        ("New York", "America/New_York"),
        ("Europe/Belrin", "Europe/Berlin"),
        ("UTC+2", ""),
        ("../../etc/passwd", ""),
        ("/etc/localtime", ""),
        ("posix/UTC", ""),
        ("Factory", ""),
        ("Europe", ""),
        ("", ""),
        ("A" * 65, ""),
    ],
)
def test_another_name_is_refused_with_a_suggestion(name: str, meant: str) -> None:
    message = timezones.timezone_flaw(name) or ""
    assert "is not a time zone; allowed: the name of an IANA time zone" in message
    assert message.endswith(f"; did you mean {meant!r}?" if meant else "or 'UTC'")


def test_without_time_zone_data_any_name_of_the_right_form_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host, which has the data, checks the DAG again."""
    monkeypatch.setattr("zoneinfo.TZPATH", (os.fspath(tmp_path),))
    for cached in (timezones._folders, timezones.is_known, timezones._names):
        cached.cache_clear()
    try:
        assert timezones.timezone_flaw("Mars/Olympus") is None
        assert timezones.timezone_flaw("mars") is not None
    finally:
        for cached in (timezones._folders, timezones.is_known, timezones._names):
            cached.cache_clear()
