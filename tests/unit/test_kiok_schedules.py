"""Cron schedules and durations as authors write them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiok.cron import CronError, check_cron
from kiok.durations import UNIT_MS, DurationError, parse_duration


@pytest.mark.parametrize(
    "schedule",
    [
        "* * * * *",
        "5 * * * *",
        "0 3 * * *",
        "*/15 0-6,22-23 1,15 JAN-MAR,oct mon-FRI",
        "0/15 8-18/2 * * 0",
        "59 23 31 12 7",
        "00 05 * * 5-7",
        "0 0 29 2 *",
        "0 0 31 1-2 *",
        "0 0 30 2 MON",
        " 0\t0  * * * ",
    ],
)
def test_schedule_of_five_fields_is_accepted(schedule: str) -> None:
    check_cron(schedule)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("60 * * * *", "minute field '60': 60 is out of range; allowed: 0-59"),
        ("* 24 * * *", "hour field '24': 24 is out of range; allowed: 0-23"),
        ("* * 0 * *", "day-of-month field '0': 0 is out of range; allowed: 1-31"),
        ("* * * 13 *", "month field '13': 13 is out of range; allowed: 1-12 or JAN-DEC"),
        ("* * * * 8", "day-of-week field '8': 8 is out of range; allowed: 0-7 or SUN-SAT"),
        ("* * * FOO *", "month field 'FOO': 'FOO' is not a value"),
        ("* * * * MONDAY", "'MONDAY' is not a value"),
        ("MON * * * *", "minute field 'MON'"),
        ("*/0 * * * *", "the step '0' must be a number, 1-59"),
        ("*/60 * * * *", "the step '60' must be a number, 1-59"),
        ("*/x * * * *", "the step 'x'"),
        ("1-5/ * * * *", "the step ''"),
        ("1/2/3 * * * *", "the step '2/3'"),
        ("* 22-2 * * *", "runs backwards; write 22-23,0-2"),
        ("1-2-3 * * * *", "'2-3' is not a value"),
        ("1,,2 * * * *", "a value is missing"),
        ("-1 * * * *", "a value is missing"),
        ("*-5 * * * *", "'*' is not allowed in a range"),
        ("? * * * *", "write '*'"),
        ("* * L * *", "'L' is not a value"),
        ("* * * * 2#1", "'2#1' is not a value"),
        ("٥ * * * *", "is not a value"),
        ("* * * *", "has 4 fields; cron has five: minute hour"),
        ("x", "has 1 field; cron has five"),
        ("", "has 0 fields"),
        ("0 0 12 * * ?", "no field for seconds"),
        ("0 0\n* * *", "must be one line"),
        ("0\u00a00 * * *", "separated by spaces"),
        ("@daily", "write '0 0 * * *'"),
        ("@Hourly", "write '0 * * * *'"),
        ("@reboot", "write five fields"),
        ("0 0 30 2 *", "never fires: FEB has no day 30"),
        ("0 0 31 2,4,6,9,11 *", "never fires: FEB, APR, JUN, SEP, NOV has no day 31"),
        ("0 0 31 4 */1", "never fires"),
        ("0 0 30 2 */2", "never fires: FEB has no day 30"),
        ("0 0 30 2 *,1", "never fires"),
        ("1," * 1000 + "1 * * * *", "at most 1000"),
    ],
)
def test_wrong_schedule_is_refused_with_the_allowed_values(schedule: str, message: str) -> None:
    with pytest.raises(CronError) as caught:
        check_cron(schedule)
    assert message in str(caught.value)


@given(st.text(st.characters(categories=None)) | st.text("0123456789*/,-@ JANMO", max_size=20))
def test_any_text_raises_only_the_documented_error(schedule: str) -> None:
    with suppress(CronError):
        check_cron(schedule)


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("250ms", 250),
        ("90s", 90_000),
        ("30m", 1_800_000),
        ("1.5h", 5_400_000),
        ("2d", 172_800_000),
        ("0.1s", 100),
    ],
)
def test_duration_is_read_in_milliseconds(text: str, milliseconds: int) -> None:
    assert parse_duration(text) == milliseconds


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (30, "the number 30 has no unit"),
        (1.5, "the number 1.5 has no unit"),
        ("30", "'30' has no unit"),
        ("", "'' is not a duration"),
        ("30 m", "'30 m' is not a duration"),
        ("30M", "is not a duration"),
        ("1h30m", "is not a duration"),
        ("-5s", "is not a duration"),
        ("٣s", "is not a duration"),
        ("5s\n", "is not a duration"),
        ("0s", "must be greater than 0"),
        ("0.5ms", "not a whole number of milliseconds"),
        ("999999999999999999d", "beyond 64 bits"),
        (True, "must be a duration, found true"),
        (None, "must be a duration, found null"),
        (["5s"], "must be a duration, found a list of 1"),
    ],
)
def test_other_texts_are_refused_with_the_form_of_a_duration(value: object, message: str) -> None:
    with pytest.raises(DurationError) as caught:
        parse_duration(value)
    assert message in str(caught.value)
    assert "write <number><unit> with unit ms, s, m, h or d" in str(caught.value)


@given(st.integers(1, 10**6), st.sampled_from(sorted(UNIT_MS)))
def test_whole_durations_are_exact(number: int, unit: str) -> None:
    assert parse_duration(f"{number}{unit}") == number * UNIT_MS[unit]
