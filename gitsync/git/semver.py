"""`semver:<range>`: which of a repository's tags is meant.

Ranges are npm's (https://docs.npmjs.com/cli/v6/using-npm/semver#ranges), versions those of
https://semver.org. A tag is a release if its name is a version, with or without a leading `v`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

MAX_RANGE_BYTES = 256
_MAX_VERSION_CHARACTERS = 256

# The grammar of semver.org: no leading zeros, no empty identifiers. Numbers above any real one are no versions.
_NUMBER = r"(0|[1-9][0-9]{0,15})"
_PRERELEASE = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_BUILD = r"[0-9A-Za-z-]+"
_VERSION = re.compile(
    rf"(v?){_NUMBER}\.{_NUMBER}\.{_NUMBER}"
    rf"(?:-({_PRERELEASE}(?:\.{_PRERELEASE})*))?(?:\+({_BUILD}(?:\.{_BUILD})*))?"
)
_COMPARATOR = re.compile(r"(?:[<>=~^]+ *)?[^ <>=~^]+|[<>=~^]+")

_Identifiers = tuple[tuple[int, int, str], ...]


class RangeInvalid(ValueError):
    """The text is no range. `str()` of it says what is wrong and where, from the range's first character."""


@dataclass(frozen=True, slots=True)
class Release:
    """A tag whose name is a version. `tag` is the name without `refs/tags/`."""

    tag: str
    version: str
    is_prerelease: bool
    order: tuple[tuple[int, int, int], bool, _Identifiers, _Identifiers, bool]
    """Sorts as semver.org says. Versions that are equal there are told apart, so that the same tags always
    give the same answer: by build metadata, compared as prereleases are, none below any; then a name
    without `v` is above one with."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a range chooses among tags: `best` (None if nothing matches), and all releases, the highest first."""

    best: Release | None
    releases: tuple[Release, ...]


def check_range(text: str) -> None:
    """Raises RangeInvalid for what is no range."""
    if not text.strip():
        raise RangeInvalid("the range is empty; '*' takes the highest release")
    if len(text.encode(errors="surrogatepass")) > MAX_RANGE_BYTES:
        raise RangeInvalid(f"the range is longer than {MAX_RANGE_BYTES} bytes")
    if odd := re.search(r"[^ -~]", text):
        raise RangeInvalid(f"{odd.group()!r} (character {odd.start() + 1}) stands in no range")
    if empty := re.search(r"\|\| *(?:\|\||$)|^ *\|\|", text):
        raise RangeInvalid(
            f"nothing stands beside the '||' (character {text.index('||', empty.start()) + 1})"
        )
    try:
        _range(text)
    except ValueError as exc:
        raise RangeInvalid(_located(text)) from exc


def choose(text: str, tags: Iterable[str]) -> Choice:
    """The highest of the tags that a range takes. A prerelease is taken only if the range names one of the same
    major, minor and patch number (`>=2.0.0-0`), as npm does. Raises RangeInvalid."""
    check_range(text)
    releases = sorted(
        (release for tag in tags if (release := release_of(tag))), key=lambda r: r.order, reverse=True
    )
    wanted = _range(text)
    best = next((release for release in releases if wanted.test(release.version)), None)
    return Choice(best, tuple(releases))


def release_of(tag: str) -> Release | None:
    """The release a tag's name stands for, None for a name that is no version."""
    match = _VERSION.fullmatch(tag) if len(tag) <= _MAX_VERSION_CHARACTERS else None
    if match is None:
        return None
    prefix, major, minor, patch, prerelease, build = match.groups()
    version = f"{major}.{minor}.{patch}" + (f"-{prerelease}" if prerelease else "")
    order = (
        (int(major), int(minor), int(patch)),
        not prerelease,
        _identifiers(prerelease),
        _identifiers(build),
        not prefix,
    )
    return Release(tag, version, bool(prerelease), order)


def _identifiers(text: str | None) -> _Identifiers:
    """Numbers by value and below words; words by ASCII; fewer below more."""
    return tuple(
        (0, int(part), "") if part.isdigit() else (1, 0, part) for part in (text.split(".") if text else ())
    )


def _range(text: str) -> Any:
    """Raises ValueError for what is none."""
    import nodesemver  # type: ignore[import-untyped]  # reads many patterns, which few refs need

    return nodesemver.make_range(text, False)


def _located(text: str) -> str:
    """Which comparator cannot be read."""
    start = 0
    for alternative in text.split("||"):
        for comparator in _COMPARATOR.finditer(alternative.replace(" - ", "   ")):
            try:
                _range(comparator.group())
            except ValueError:
                column = start + comparator.start() + 1
                return f"{comparator.group()!r} (character {column}) is no comparator"
        try:
            _range(alternative)
        except ValueError:
            return f"{alternative.strip()!r} (character {start + 1}) is no range of two versions"
        start += len(alternative) + len("||")
    return f"{text!r} cannot be read"
