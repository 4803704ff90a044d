"""Formatting of single values on admin pages. All texts are escaped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from django.contrib.admin.utils import quote
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timesince import timesince, timeuntil

from kiok.params import PARAM_KEYS
from kiok.text import reveal_hidden
from kiok.validation import DAG_KEYS, TASK_KEYS

NOTHING = "–"
COMMIT_CHARACTERS = 10


class Tone(StrEnum):
    """The colours of a badge; admin.css has one rule for each. The badge's word has the same meaning."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    BUSY = "busy"
    IDLE = "idle"


def badge(tone: Tone, word: str) -> SafeString:
    """Return a state as a coloured word, which is capitalised unless it is a number of rows or the code of a reason."""
    return format_html('<span class="kiok-badge kiok-{}">{}</span>', tone, word)


def commit(sha: str) -> str:
    """Return a commit's first characters; hovering shows the full id."""
    if not sha:
        return NOTHING
    return format_html('<code title="{}">{}</code>', sha, sha[:COMMIT_CHARACTERS])


def copyable(text: str) -> str:
    """Return the text with a button that copies it (copy.js)."""
    if not text:
        return NOTHING
    return format_html(
        '<code>{}</code> <button type="button" class="kiok-copy" data-copy>Copy</button>', text
    )


def about_commit(subject: str, author: str, when: datetime | None) -> SafeString:
    """Return `Fix the load · Ada · 3 minutes ago` without what is unknown; empty if nothing is known."""
    parts = [reveal_hidden(text) for text in (subject, author) if text]
    if when is not None:
        parts.append(short_age(when))
    return format_html_join(" · ", "{}", ([part] for part in parts))


def with_commit_facts(commit: str, about: SafeString) -> str:
    """Return a commit, followed by the result of `about_commit`."""
    return format_html('{} <span class="kiok-about">{}</span>', commit, about) if about else commit


def age(when: datetime | None) -> str:
    """Return `3 minutes ago (14:02 UTC)`, or `in 3 minutes (…)`; with the date unless it is today.

    times.js converts this, `short_age` and `moment` to the viewer's time zone, and keeps the relative time current.
    """
    if when is None:
        return NOTHING
    now = timezone.now()
    exact = when.astimezone(UTC).strftime(
        "%H:%M UTC" if when.astimezone(UTC).date() == now.astimezone(UTC).date() else "%Y-%m-%d %H:%M UTC"
    )
    return format_html(
        '<time datetime="{}" title="{}"><span data-time="relative">{}</span>'
        ' <span class="kiok-exact">(<span data-time="exact">{}</span>)</span></time>',
        when.isoformat(),
        _full(when),
        _distance(when, now),
        exact,
    )


def short_age(when: datetime | None) -> str:
    """Return `3 minutes ago`, for a second line in a list; hovering shows the exact time."""
    if when is None:
        return NOTHING
    return format_html(
        '<time datetime="{}" title="{}"><span data-time="relative">{}</span></time>',
        *(when.isoformat(), _full(when), _distance(when, timezone.now())),
    )


def moment(when: datetime | None) -> str:
    """Return `2026-11-23 14:02:31 UTC (3 minutes ago)`, for pages that need the exact time."""
    if when is None:
        return NOTHING
    return format_html(
        '<time datetime="{}"><span data-time="full">{}</span> (<span data-time="relative">{}</span>)</time>',
        when.isoformat(),
        _full(when),
        _distance(when, timezone.now()),
    )


def _full(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _distance(when: datetime, now: datetime) -> str:
    if abs((now - when).total_seconds()) < 60:
        return "just now" if when <= now else "in less than a minute"
    return f"{timesince(when, now, depth=1)} ago" if when <= now else f"in {timeuntil(when, now, depth=1)}"


def duration(start: datetime | None, end: datetime | None) -> str:
    """Return the time between two moments in a suitable unit."""
    if start is None or end is None:
        return NOTHING
    return seconds((end - start).total_seconds())


def seconds(value: float) -> str:
    """Return `40 ms`, `3.2 s` or `5 min 12 s`."""
    if value < 1:
        return f"{max(value, 0) * 1000:.0f} ms"
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s"


def milliseconds(value: Any) -> str:
    """Return a DagSpec timeout in a suitable unit."""
    return seconds(value / 1000) if isinstance(value, int) else NOTHING


def shortened(text: str | None, characters: int = 120) -> str:
    """Return the beginning of the text on one line; hovering shows up to 1 000 characters."""
    if not text:
        return NOTHING
    line = " ".join(text[: characters * 4].split())
    if len(line) <= characters and len(text) <= characters * 4:
        return line
    return format_html('<span title="{}">{}…</span>', text[:1000], line[:characters])


def listed(names: Sequence[str], number: int) -> str:
    """Return `a, b and 3 more`. `names`: the first of them, `number`: how many there are."""
    shown = ", ".join(names)
    return f"{shown} and {number - len(names)} more" if number > len(names) else shown


def spec_text(spec: dict[str, Any]) -> str:
    """Return a DagSpec as readable JSON, with keys in wire order, which the database does not keep."""
    shown = _in_order(spec, DAG_KEYS)
    if isinstance(params := shown.get("params"), dict):
        shown["params"] = {name: _in_order(params[name], PARAM_KEYS) for name in sorted(params)}
    if isinstance(shown.get("tasks"), list):
        shown["tasks"] = [_in_order(task, TASK_KEYS) for task in shown["tasks"]]
    return json.dumps(shown, indent=2, ensure_ascii=False)


def _in_order(value: dict[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    return {key: value[key] for key in keys if key in value} | value


def page_of(model: str, pk: object) -> str:
    """Return the URL of a row's page; `model` is `<app>_<model>`."""
    return reverse(f"admin:{model}_change", args=[quote(pk)])  # type: ignore[arg-type]  # any key will do


def link(url: str, text: str) -> SafeString:
    """Return a link."""
    return format_html('<a href="{}">{}</a>', url, text)
