"""Strict validation of 5-field cron schedules: minute, hour, day of month, month, day of week.

A field is a list whose items are `*`, a value or a range `a-b`, each with an optional step `/n`. `a/n` is short for
`a-<highest>/n`. Months and days of the week also have names (`JAN`, `MON`, any case); Sunday is 0 or 7.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kiok.text import shown


class CronError(ValueError):
    """Invalid schedule; the message names the field, the value and what is allowed."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        names = f" or {self.names[0]}-{self.names[-1]}" if self.names else ""
        return f"{self.low}-{self.high}{names}"


_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day-of-month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day-of-week", 0, 7, _DAYS),
)
MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_LAYOUT = "minute hour day-of-month month day-of-week"
_LONGEST_MONTH_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_MAX_LENGTH = 1_000
_NUMBER = re.compile(r"[0-9]{1,4}")


def check_cron(schedule: str) -> None:
    """Check that `schedule` is a 5-field cron schedule that can fire. Raises CronError."""
    if len(schedule) > _MAX_LENGTH:
        raise CronError(f"the schedule is {len(schedule)} characters long; at most {_MAX_LENGTH} are allowed")
    macro = schedule.strip().lower()
    if macro.startswith("@"):
        hint = MACROS.get(macro)
        advice = f"write {hint!r}" if hint else f"write five fields: {_LAYOUT}"
        raise CronError(f"{shown(schedule)} is a macro, which is not allowed: {advice}")
    if re.search(r"[^\S \t]", schedule):
        raise CronError(f"{shown(schedule)} must be one line with fields separated by spaces: {_LAYOUT}")
    fields = schedule.split()
    if len(fields) != len(_FIELDS):
        seconds = " (there is no field for seconds or years)" if len(fields) in (6, 7) else ""
        plural = "field" if len(fields) == 1 else "fields"
        raise CronError(
            f"{shown(schedule)} has {len(fields)} {plural}{seconds}; "
            f"cron has five: {_LAYOUT}, such as '0 3 * * *'"
        )
    _minutes, _hours, days, months, _weekdays = (
        _values(field, text) for field, text in zip(_FIELDS, fields, strict=True)
    )
    # If the day-of-week field begins with `*`, both day fields have to match, as in Debian's cron (crontab(5)).
    if fields[4].startswith("*") and not any(min(days) <= _LONGEST_MONTH_DAYS[month - 1] for month in months):
        named = ", ".join(_MONTHS[month - 1] for month in sorted(months))
        raise CronError(f"{shown(schedule)} never fires: {named} has no day {min(days)}")


def _values(field: _Field, text: str) -> set[int]:
    values: set[int] = set()
    for part in text.split(","):
        body, slash, step_text = part.partition("/")
        low, high = _bounds(field, text, body, open_ended=bool(slash))
        step = 1
        if slash:
            if not _NUMBER.fullmatch(step_text) or not 1 <= int(step_text) <= field.high:
                raise _wrong(field, text, f"the step {shown(step_text)} must be a number, 1-{field.high}")
            step = int(step_text)
        values.update(range(low, high + 1, step))
    return values


def _bounds(field: _Field, text: str, body: str, *, open_ended: bool) -> tuple[int, int]:
    if body == "*":
        return field.low, field.high
    first, dash, last = body.partition("-")
    low = _value(field, text, first)
    if not dash:
        return low, field.high if open_ended else low
    high = _value(field, text, last)
    if low > high:
        split = f"{first}-{field.high},{field.low}-{last}"
        raise _wrong(field, text, f"the range {shown(body)} runs backwards; write {split}")
    return low, high


def _value(field: _Field, text: str, value: str) -> int:
    if _NUMBER.fullmatch(value):
        number = int(value)
        if field.low <= number <= field.high:
            return number
        raise _wrong(field, text, f"{value} is out of range; allowed: {field.allowed}")
    if value.upper() in field.names:
        return field.names.index(value.upper()) + field.low
    if not value:
        raise _wrong(field, text, f"a value is missing; allowed: {field.allowed}")
    if value == "?":
        raise _wrong(field, text, "'?' is not allowed; write '*'")
    if value == "*":
        raise _wrong(field, text, "'*' is not allowed in a range; write it alone or as */<step>")
    raise _wrong(field, text, f"{shown(value)} is not a value; allowed: {field.allowed}")


def _wrong(field: _Field, text: str, message: str) -> CronError:
    return CronError(f"{field.name} field {shown(text)}: {message}")
