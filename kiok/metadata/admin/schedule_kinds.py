"""The schedules that authors usually write, in a few words: `every 5 minutes`, `daily at 06:00 UTC`.

Lists show them, and filter by them in the database. `schedule.in_words` describes every schedule, at greater length.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from django.db.models import Q

_DAYS = ("Sundays", "Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
_SHORT_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MINUTE, _HOURS, _DAY = r"(\d{1,2})", r"(\d{1,2}(?:,\d{1,2}){0,2})", r"([0-7]|SUN|MON|TUE|WED|THU|FRI|SAT)"
_WEEKDAYS = r"(?:1-5|MON-FRI)"

# From the groups of the pattern to words; "" if the words would not be true.
Words = Callable[..., str]


@dataclass(frozen=True, slots=True)
class ScheduleKind:
    """A kind of schedule. PostgreSQL and Python read its pattern, which ignores case, alike.

    The words of one that `is_timed` end with a time of day.
    """

    key: str
    label: str
    pattern: str
    words: Words
    is_timed: bool


def _minutes(number: str | None) -> str:
    if number is None or int(number) == 1:
        return "every minute"
    # */7 fires at minutes 0, 7, ..., 56 and 0 again.
    return f"every {int(number)} minutes" if int(number) and 60 % int(number) == 0 else ""


def _hourly(minute: str, step: str | None) -> str:
    at = f" at :{int(minute):02}" if int(minute) else ""
    if step is None or int(step) == 1:
        return f"hourly{at}"
    return f"every {int(step)} hours{at}" if int(step) and 24 % int(step) == 0 else ""


def _daily(minute: str, hours: str) -> str:
    return f"daily at {_times(minute, hours)}"


def _weekdays(minute: str, hours: str) -> str:
    return f"weekdays at {_times(minute, hours)}"


def _weekly(minute: str, hours: str, day: str) -> str:
    number = int(day) if day.isdecimal() else _SHORT_DAYS.index(day.upper())
    return f"{_DAYS[number]} at {_times(minute, hours)}"


def _monthly(minute: str, hours: str, day: str) -> str:
    return f"monthly on day {int(day)} at {_times(minute, hours)}"


def _times(minute: str, hours: str) -> str:
    return ", ".join(f"{int(hour):02}:{int(minute):02}" for hour in hours.split(","))


def _kind(key: str, label: str, fields: str, words: Words, *, is_timed: bool = True) -> ScheduleKind:
    return ScheduleKind(key, label, rf"^\s*{fields}\s*$".replace(" ", r"\s+"), words, is_timed)


KINDS = (
    _kind("minutes", "every few minutes", r"\*(?:/(\d{1,2}))? \* \* \* \*", _minutes, is_timed=False),
    _kind("hourly", "hourly", rf"{_MINUTE} \*(?:/(\d{{1,2}}))? \* \* \*", _hourly, is_timed=False),
    _kind("daily", "daily", rf"{_MINUTE} {_HOURS} \* \* \*", _daily),
    _kind("weekdays", "on weekdays", rf"{_MINUTE} {_HOURS} \* \* {_WEEKDAYS}", _weekdays),
    _kind("weekly", "weekly", rf"{_MINUTE} {_HOURS} \* \* {_DAY}", _weekly),
    _kind("monthly", "monthly", rf"{_MINUTE} {_HOURS} (\d{{1,2}}) \* \*", _monthly),
)
SCHEDULED = ~(Q(schedule__isnull=True) | Q(schedule=""))


def short_words(schedule: str, zone: str = "UTC") -> str:
    """Return a usual schedule in a few words, with the place of its time zone; any other schedule as it is written."""
    for kind in KINDS:
        if found := re.match(kind.pattern, schedule, re.IGNORECASE | re.ASCII):
            words = kind.words(*found.groups())
            place = zone.rpartition("/")[2].replace("_", " ")
            return (f"{words} {place}" if kind.is_timed else words) or schedule
    return schedule


def of_kind(key: str) -> Q | None:
    """Return the condition on DAGs for a kind: yes (any schedule), no (none), a key of `KINDS`, or other."""
    patterns = {kind.key: Q(schedule__iregex=kind.pattern) for kind in KINDS}
    other = SCHEDULED
    for usual in patterns.values():
        other &= ~usual
    return {"yes": SCHEDULED, "no": ~SCHEDULED, "other": other, **patterns}.get(key)
