"""A schedule in words, and when it fires next, in UTC.

What is valid is for `kiok.cron` to say. Where it is wider than the two libraries asked here, the schedule is first
written as they know it: `*` in a list, `*/1`, a step on a range of one value, names, leading zeros. Where both days are
restricted they count together if either begins with `*`, else each by itself, as in Debian's cron (crontab(5)).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice

from cron_descriptor import ExpressionDescriptor, FormatError, MissingFieldError, Options, WrongArgumentError
from cronsim import CronSim, CronSimError

SHOWN_TIMES = 5
MAX_WORDS_CHARACTERS = 300
"""A schedule of a thousand characters makes words that nobody reads."""

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_NUMBERS = {name: str(number) for number, name in enumerate(_MONTHS, 1)} | {
    name: str(number) for number, name in enumerate(_DAYS)
}
_ALL = ("0-59", "0-23", "1-31", "1-12", "0-6")
_DAY_OF_MONTH, _DAY_OF_WEEK = 2, 4
_OPTIONS = Options(locale_code="en_US", use_24hour_time_format=True)


def next_times(schedule: str, after: datetime, count: int = SHOWN_TIMES) -> list[datetime]:
    """The next times in UTC, none for what never fires within 50 years or is no schedule."""
    try:
        return list(islice(CronSim(" ".join(_plain(schedule)), after.astimezone(UTC)), count))
    except CronSimError:
        return []


def in_words(schedule: str) -> str:
    """`At 5 minutes past the hour`; empty for what is no schedule, or would be too long to be read."""
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
    """A list with steps as the days that it names, for which there are words."""
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
        return ends[0]  # one value, which a step would otherwise take for the first of many
    return "-".join(ends) + (f"/{step.lstrip('0')}" if slash else "")


def _without_stars(field: str, every: str) -> str:
    """A field in whose list a `*` makes the rest idle, without it; one that begins with none keeps beginning with none."""
    parts = field.split(",")
    if len(parts) > 1 and "*" in parts:
        return "*" if field.startswith("*") else every
    return field
