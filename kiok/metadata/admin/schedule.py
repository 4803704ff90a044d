"""A schedule in words, and when it fires next, in UTC.

What is valid is for `kiok.cron` to say. Where it is wider than the two libraries asked here, the schedule is first
written as they know it: `*` in a list, a step on a range of one value, names, leading zeros. Where both days are
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
    days, weekdays = fields[_DAY_OF_MONTH : _DAY_OF_MONTH + 1], fields[_DAY_OF_WEEK:]
    try:
        if days and weekdays and _both_count(days[0], weekdays[0]):
            whole = _described([*fields[:_DAY_OF_WEEK], "*"])
            words = f"{whole}, and {_described(['*', '*', '*', '*', *weekdays]).partition(', ')[2]}"
        else:
            words = _described(fields)
    except (FormatError, MissingFieldError, WrongArgumentError):
        return ""
    return words if len(words) <= MAX_WORDS_CHARACTERS else ""


def _both_count(days: str, weekdays: str) -> bool:
    restricted = "*" not in (days, weekdays)
    return restricted and (days.startswith("*") or weekdays.startswith("*"))


def _described(fields: Sequence[str]) -> str:
    return str(ExpressionDescriptor(" ".join(fields), _OPTIONS).get_description())


def _plain(schedule: str) -> list[str]:
    return [",".join(_plain_part(part) for part in field.split(",")) for field in schedule.upper().split()]


def _plain_part(part: str) -> str:
    body, slash, step = part.partition("/")
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
