"""Usual schedules in a few words, which agree with the times at which the schedules fire."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiok.metadata.admin.schedule import next_times
from kiok.metadata.admin.schedule_kinds import short_words

NOW = datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("* * * * *", "every minute"),
        ("*/5 * * * *", "every 5 minutes"),
        ("*/7 * * * *", "*/7 * * * *"),
        ("*/0 * * * *", "*/0 * * * *"),
        ("0 * * * *", "hourly"),
        ("5 * * * *", "hourly at :05"),
        ("15 */4 * * *", "every 4 hours at :15"),
        ("0 */5 * * *", "0 */5 * * *"),
        ("0 6 * * *", "daily at 06:00 UTC"),
        ("30 6,18 * * *", "daily at 06:30, 18:30 UTC"),
        (" 0  6  *  *  * ", "daily at 06:00 UTC"),
        ("0 6 * * 1-5", "weekdays at 06:00 UTC"),
        ("0 6 * * mon-fri", "weekdays at 06:00 UTC"),
        ("0 4 * * 1", "Mondays at 04:00 UTC"),
        ("0 4 * * Sun", "Sundays at 04:00 UTC"),
        ("0 4 * * 7", "Sundays at 04:00 UTC"),
        ("0 3 1 * *", "monthly on day 1 at 03:00 UTC"),
        ("0 3 1 6 *", "0 3 1 6 *"),
        ("7-59/13 2 * 1,4,7,10 *", "7-59/13 2 * 1,4,7,10 *"),
        ("not a schedule", "not a schedule"),
        ("", ""),
    ],
)
def test_short_words_describe_usual_schedules_only(schedule: str, words: str) -> None:
    assert short_words(schedule) == words


@given(minute=st.integers(0, 59), hour=st.integers(0, 23), days=st.sampled_from(["*", "1-5", "1", "SAT"]))
def test_short_words_name_the_time_at_which_a_schedule_fires(minute: int, hour: int, days: str) -> None:
    schedule = f"{minute} {hour} * * {days}"
    words = short_words(schedule)
    for time in next_times(schedule, NOW):
        assert words.endswith(f" at {time:%H:%M} UTC")
        assert days in ("*", "1-5") or words.startswith(f"{time:%A}s")


@given(step=st.integers(1, 59))
def test_short_words_name_a_step_only_if_it_is_regular(step: int) -> None:
    schedule = f"*/{step} * * * *"
    times = next_times(schedule, NOW, 100)
    gaps = {(later - earlier).total_seconds() / 60 for earlier, later in pairwise(times)}
    output = re.fullmatch(r"every (?:(\d+) )?minutes?", short_words(schedule))
    assert (gaps == {step}) == bool(output)
    assert output is None or int(output[1] or 1) == step
