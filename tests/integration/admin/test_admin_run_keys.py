"""The keys for runs of a DAG: on its page, in the list, and in the API."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from kiok.metadata import time_zones
from kiok.metadata.admin.schedule import next_times
from tests.support.dag_pages import EVIL, make_dag, page_of, spec, task, text, words

pytestmark = pytest.mark.django_db(transaction=True)

KEYS: dict[str, Any] = {
    "schedule": "30 2 * * *",
    "timezone": "Asia/Tokyo",
    "maxActiveRuns": 3,
    "overlap": "skip",
    "catchupWindowMs": 259_200_000,
    "retries": 1,
    "retryDelayMs": 90_000,
    "params": {
        "region": {"type": "string", "default": "eu", "choices": ["eu", "us"], "description": "Where"},
        "day": {"type": "date", "required": True},
        "full": {"type": "boolean", "default": False},
    },
}


def test_details_show_the_keys_for_runs_and_the_parameters(browser: Client) -> None:
    make_dag(spec={**spec(task("t")), **KEYS}, schedule=KEYS["schedule"])
    shown = words(text(browser, *page_of(tab="details")))
    assert (
        "Run settings Time zone Asia/Tokyo Active runs at most 3 Overlap skip: a further run is left out"
        in shown
    )
    assert "Catch-up window 3 days Retries of tasks 1 retry, the first after 1 min 30 s" in shown
    assert re.search(
        "Parameter Type Default Choices Description day date required – – full boolean false – – "
        "region string eu eu, us Where",
        shown,
    )
    written = shown.partition("The compiled spec as JSON ")[2]
    assert list(json.JSONDecoder().raw_decode(written)[0]["params"]["region"]) == [
        *("type", "default", "choices", "description")
    ]


def test_details_of_a_dag_without_keys_for_runs_have_no_such_section(browser: Client) -> None:
    make_dag()
    shown = text(browser, *page_of(tab="details"))
    assert "dag-for-runs" not in shown
    assert "Run settings" not in text(browser, *page_of(tab="tasks"))


def test_tasks_show_retries_clean_up_and_image_when_a_task_sets_them(browser: Client) -> None:
    tasks = [
        task("load", retries=0, image="team/etl:1.4"),
        task("clean", "load", runs="always", retries=3, retryDelayMs=1000),
        task("tell", "load"),
    ]
    make_dag(spec=spec(*tasks))
    shown = text(browser, *page_of(tab="tasks"))
    cells = [words(row).split("shell ")[1] for row in re.findall(r'<tr id="task-\d+">.*?</tr>', shown)]
    assert cells == [
        "– – no retries; image team/etl:1.4 –",
        "load – 3 retries, the first after 1.0 s; runs always –",
        "load – – –",
    ]


def test_keys_for_runs_of_the_wrong_type_are_text_or_left_out(browser: Client) -> None:
    wrong = dict.fromkeys(KEYS, EVIL) | {"params": {EVIL: {"type": EVIL, "default": EVIL, "choices": [EVIL]}}}
    make_dag(spec={**spec(task("t", retries=EVIL, runs=EVIL, image=EVIL)), **wrong}, schedule="0 0 * * *")
    for tab in ("details", "tasks"):
        shown = text(browser, *page_of(tab=tab))
        assert "<script>alert" not in shown
        assert '"><script' not in shown


def test_next_runs_are_those_of_the_time_zone_of_the_dag(browser: Client) -> None:
    """Half past two in Tokyo is half past five in the afternoon of the day before in UTC."""
    for name in ("a", "b"):
        make_dag(f"team/{name}.yaml", spec={**spec(task("t")), **KEYS}, schedule=KEYS["schedule"])
    make_dag("team/utc.yaml", spec={**spec(task("t")), "schedule": "30 2 * * *"}, schedule="30 2 * * *")
    make_dag("team/none.yaml")
    rows = text(browser, "/admin/metadata/dag/")
    times = re.findall(r'<time datetime="[^"]*T(\d\d:\d\d):00\+00:00"', rows)
    assert sorted(times) == ["02:30", "17:30", "17:30"]
    assert re.findall(r'title="30 2 \* \* \*([^"]*)">([^<]*)<', rows) == [
        (" (Asia/Tokyo)", "daily at 02:30 Tokyo"),
        (" (Asia/Tokyo)", "daily at 02:30 Tokyo"),
        ("", "daily at 02:30 UTC"),
    ]
    shown = words(text(browser, *page_of("team/a.yaml", tab="details")))
    assert "30 2 * * * (Asia/Tokyo)" in shown
    listed = re.findall(r"Next, in Asia/Tokyo: \w+ \S+ (\d\d:\d\d)", shown)
    assert listed == ["02:30"]


def test_the_list_reads_time_zones_in_one_query(browser: Client) -> None:
    counts = []
    for number in range(1, 4):
        make_dag(f"team/{number}.yaml", spec={**spec(task("t")), **KEYS}, schedule="0 0 * * *")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            text(browser, "/admin/metadata/dag/")
        counts.append(len(queries))
    assert counts[1] == counts[2]


def test_only_dags_with_a_schedule_have_their_time_zone_read() -> None:
    scheduled = make_dag("team/1.yaml", spec={**spec(), "timezone": "Asia/Tokyo"}, schedule="0 0 * * *")
    manual = make_dag("team/2.yaml", spec={**spec(), "timezone": "Asia/Tokyo"})
    utc = make_dag("team/3.yaml", schedule="0 0 * * *")
    assert time_zones.of_dags([scheduled, manual, utc]) == {"team/1.yaml": "Asia/Tokyo"}
    with CaptureQueriesContext(connection) as queries:
        assert time_zones.of_dags([manual]) == {}
    assert len(queries) == 0


def test_a_schedule_follows_daylight_saving_time_like_cron() -> None:
    """Half past two does not exist on 29 March 2026 in Berlin and exists twice on 25 October: it fires once each."""
    berlin = ZoneInfo("Europe/Berlin")
    for eve, fires in (
        (datetime(2026, 3, 28, 12, tzinfo=berlin), ["29 03:00", "30 02:30"]),
        (datetime(2026, 10, 24, 12, tzinfo=berlin), ["25 02:30", "26 02:30"]),
    ):
        times = next_times("30 2 * * *", eve, 2, "Europe/Berlin")
        assert [time.tzinfo for time in times] == [UTC, UTC]
        assert [time.astimezone(berlin).strftime("%d %H:%M") for time in times] == fires
    assert next_times("30 2 * * *", timezone.now(), 1, "Mars/Olympus") == []
