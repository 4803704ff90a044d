"""Schedules in words, and their next times, which are those of cron."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kiok.cron import CronError, check_cron
from kiok.metadata.admin.schedule import in_words, next_times

NOW = datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)
_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_NAMES = {
    3: ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"),
    4: ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"),
}


@st.composite
def _value(draw: st.DrawFn, field: int) -> str:
    low, high = _BOUNDS[field]
    if field in _NAMES and draw(st.booleans()):
        name = draw(st.sampled_from(_NAMES[field]))
        return draw(st.sampled_from([name, name.lower(), name.title()]))
    return str(draw(st.integers(low, high))).zfill(draw(st.integers(1, 4)))


@st.composite
def _part(draw: st.DrawFn, field: int) -> str:
    body = draw(st.sampled_from(["*", "value", "value", "range"]))
    if body != "*":
        body = draw(_value(field)) if body == "value" else f"{draw(_value(field))}-{draw(_value(field))}"
    step = draw(st.integers(0, _BOUNDS[field][1]))
    return f"{body}/{str(step).zfill(draw(st.integers(1, 3)))}" if draw(st.booleans()) and step else body


@st.composite
def schedules(draw: st.DrawFn) -> str:
    """Draw a schedule that check_cron accepts."""
    fields = [",".join(draw(st.lists(_part(field), min_size=1, max_size=3))) for field in range(5)]
    schedule = draw(st.sampled_from([" ", "  ", "\t"])).join(fields)
    try:
        check_cron(schedule)
    except CronError:
        assume(False)
    return schedule


def _values(text: str, field: int) -> set[int]:
    """Return the values of a field, implemented a second time from crontab(5)."""
    low, high = _BOUNDS[field]
    found: set[int] = set()
    for part in text.upper().split(","):
        body, slash, step = part.partition("/")
        if body == "*":
            first, last = low, high
        else:
            ends = [
                _NAMES[field].index(end) + low if end in _NAMES.get(field, ()) else int(end)
                for end in body.split("-")
            ]
            first, last = ends[0], ends[-1] if len(ends) == 2 else (high if slash else ends[0])
        found.update(range(first, last + 1, int(step) if slash else 1))
    return {value % 7 for value in found} if field == 4 else found


def _fires(schedule: str, day: datetime) -> bool:
    _, _, days, months, weekdays = schedule.split()
    by_date = day.day in _values(days, 2)
    by_weekday = day.isoweekday() % 7 in _values(weekdays, 4)
    together = days.startswith("*") or weekdays.startswith("*")
    return day.month in _values(months, 3) and (
        (by_date and by_weekday) if together else (by_date or by_weekday)
    )


@given(schedules())
def test_valid_schedule_has_a_description(schedule: str) -> None:
    words = in_words(schedule)
    assert len(words) <= 300
    # The library has no words for some lists that hold a step (`0 */2,0 * * *`); the page then shows the schedule alone.
    if len(schedule) <= 30 and not ("/" in schedule and "," in schedule):
        assert words


@given(schedules())
def test_next_times_are_those_of_cron(schedule: str) -> None:
    found = next_times(schedule, NOW)
    minutes, hours = _values(schedule.split()[0], 0), _values(schedule.split()[1], 1)
    expected: list[datetime] = []
    day = NOW.replace(hour=0, minute=0, second=0)
    for _ in range(400):
        if _fires(schedule, day):
            times = (
                day.replace(hour=hour, minute=minute) for hour in sorted(hours) for minute in sorted(minutes)
            )
            expected += [time for time in times if time > NOW]
        day += timedelta(days=1)
        if len(expected) >= 5:
            break
    assert found[: len(expected)] == expected[:5]
    assert all(time.tzinfo is UTC for time in found)


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("5 * * * *", "At 5 minutes past the hour"),
        ("0 3 * * 0", "At 03:00, only on Sunday"),
        ("0 3 * * 7", "At 03:00, only on Sunday"),
        ("0 9 13 * FRI", "At 09:00, on day 13 of the month, or on Friday"),
        ("0 9 */2 * FRI", "At 09:00, every 2 days, and only on Friday"),
        ("0 3 * * 0,*/2", "At 03:00, only on Sunday, Tuesday, Thursday, and Saturday"),
        ("*,5 * * * *", "Every minute"),
        ("0 0 1 jan *", "At 00:00, on day 1 of the month, only in January"),
        ("@daily", ""),
        ("nonsense", ""),
        ("", ""),
    ],
)
def test_schedule_is_described_in_words(schedule: str, words: str) -> None:
    assert in_words(schedule) == words


@pytest.mark.parametrize(
    "schedule", ["0 0 30 2 */2", "0 0 31 4 *", "@daily", "nonsense", "", "<script>", "1 2 3"]
)
def test_schedule_that_never_fires_or_is_invalid_has_no_next_times(schedule: str) -> None:
    assert next_times(schedule, NOW) == []


def test_range_of_one_value_with_a_step_is_that_value() -> None:
    assert {time.minute for time in next_times("5-5/2 * * * *", NOW)} == {5}
