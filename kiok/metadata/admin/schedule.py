"""A schedule in words, and its next fire times.

`kiok.cron` decides what is valid. It accepts more than the two libraries used here, so a schedule is first rewritten in
their syntax: `*` in a list, `*/1`, a step on a range of one value, names, leading zeros. If both day fields are
restricted, both must match if either begins with `*`; else one match is enough, as in Debian's cron (crontab(5)).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cron_descriptor import ExpressionDescriptor, FormatError, MissingFieldError, Options, WrongArgumentError
from cronsim import CronSim, CronSimError

SHOWN_TIMES = 5
MAX_WORDS_CHARACTERS = 300  # a longer description, of a schedule of a thousand characters, is useless

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_NUMBERS = {name: str(number) for number, name in enumerate(_MONTHS, 1)} | {
    name: str(number) for number, name in enumerate(_DAYS)
}
_ALL = ("0-59", "0-23", "1-31", "1-12", "0-6")
_DAY_OF_MONTH, _DAY_OF_WEEK = 2, 4
_OPTIONS = Options(locale_code="en_US", use_24hour_time_format=True)


def next_times(schedule: str, after: datetime, count: int = SHOWN_TIMES, zone: str = "UTC") -> list[datetime]:
    """Return the next times of a schedule in a time zone, in UTC.

    None for an invalid schedule, one that does not fire within 50 years, or a time zone that this machine does not know.
    """
    try:
        times = CronSim(" ".join(_plain(schedule)), after.astimezone(ZoneInfo(zone)))
        return [time.astimezone(UTC) for time in islice(times, count)]
    except (CronSimError, ZoneInfoNotFoundError, ValueError):
        return []


def in_words(schedule: str) -> str:
    """Return `At 5 minutes past the hour`; empty for an invalid schedule or a very long description."""
    fields = [
        _without_stars(field, _ALL[place])
        for place, field in enumerate(_plain(schedule))
        if place < len(_ALL)
    ]
    before, weekdays = fields[:_DAY_OF_WEEK], fields[_DAY_OF_WEEK:]
    try:
        named = [_named_days(field) for field in weekdays]
        if weekdays and _both_count(fields[_DAY_OF_MONTH], weekdays[0]):
            words = f"{_described([*before, '*'])}, and {_described(['*', '*', '*', '*', *named]).partition(', ')[2]}"
        else:
            words = _described([*before, *named])
    except (ValueError, FormatError, MissingFieldError, WrongArgumentError):
        return ""
    return words if len(words) <= MAX_WORDS_CHARACTERS else ""


def _both_count(days: str, weekdays: str) -> bool:
    restricted = "*" not in (days, weekdays)
    return restricted and (days.startswith("*") or weekdays.startswith("*"))


def _named_days(weekdays: str) -> str:
    """Expand a list with steps to the days that it names, which the library can describe."""
    if "," not in weekdays or "/" not in weekdays:
        return weekdays
    days: set[int] = set()
    for part in weekdays.split(","):
        body, _, step = part.partition("/")
        first, _, last = ("0-7" if body == "*" else body).partition("-")
        end = int(last or (7 if step else first))
        days.update(day % 7 for day in range(int(first), end + 1, int(step or 1)))
    return ",".join(map(str, sorted(days)))


def _described(fields: Sequence[str]) -> str:
    return str(ExpressionDescriptor(" ".join(fields), _OPTIONS).get_description())


def _plain(schedule: str) -> list[str]:
    return [",".join(_plain_part(part) for part in field.split(",")) for field in schedule.upper().split()]


def _plain_part(part: str) -> str:
    body, slash, step = part.partition("/")
    if body == "*" and step.lstrip("0") == "1":
        return "*"
    ends = [_NUMBERS.get(end) or end.lstrip("0") or end[-1:] for end in body.split("-")]
    if len(ends) == 2 and ends[0] == ends[1]:
        return ends[0]  # one value; with a step, a library would read it as the start of a range
    return "-".join(ends) + (f"/{step.lstrip('0')}" if slash else "")


def _without_stars(field: str, every: str) -> str:
    """Simplify a list with a `*`, which covers its other parts. The result begins with `*` only if the field did."""
    parts = field.split(",")
    if len(parts) > 1 and "*" in parts:
        return "*" if field.startswith("*") else every
    return field
