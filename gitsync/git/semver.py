"""Version ranges (`semver:<range>`), and the choice of the highest tag in a range.

Ranges have npm's syntax (https://docs.npmjs.com/cli/v6/using-npm/semver#ranges), versions that of https://semver.org. A
tag is a release if its name is a version, with or without a leading `v`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

MAX_RANGE_BYTES = 256
_MAX_VERSION_CHARACTERS = 256

# The grammar of semver.org: no leading zeros, no empty identifiers. Numbers are limited to 16 digits.
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
    """The text is not a version range. `str()` of it says what is wrong, and at which character of the range."""


@dataclass(frozen=True, slots=True)
class Release:
    """A tag whose name is a version. `tag` is the name without `refs/tags/`."""

    tag: str
    version: str
    is_prerelease: bool
    # Sort key with the precedence of semver.org. Versions of equal precedence are ordered as well, so that the same tags
    # always give the same result: by build metadata, compared like prereleases, with none below any; then a name without
    # `v` is above one with it.
    order: tuple[tuple[int, int, int], bool, _Identifiers, _Identifiers, bool]


@dataclass(frozen=True, slots=True)
class Choice:
    """The result of choosing a tag: `best` (None if no tag is in the range), and all releases, the highest first."""

    best: Release | None
    releases: tuple[Release, ...]


def check_range(text: str) -> None:
    """Raise RangeInvalid if the text is not a version range."""
    if not text.strip():
        raise RangeInvalid("the range is empty. Use '*' for the highest release")
    if len(text.encode(errors="surrogatepass")) > MAX_RANGE_BYTES:
        raise RangeInvalid(f"the range is longer than {MAX_RANGE_BYTES} bytes")
    if odd := re.search(r"[^ -~]", text):
        raise RangeInvalid(f"{odd.group()!r} (character {odd.start() + 1}) is not allowed in a range")
    if empty := re.search(r"\|\| *(?:\|\||$)|^ *\|\|", text):
        raise RangeInvalid(f"one side of the '||' is empty (character {text.index('||', empty.start()) + 1})")
    try:
        _range(text)
    except ValueError as exc:
        raise RangeInvalid(_located(text)) from exc


def choose(text: str, tags: Iterable[str]) -> Choice:
    """Choose the highest of the tags in a range. Raises RangeInvalid.

    As in npm, a prerelease matches only if the range names a prerelease of the same major, minor and patch number
    (`>=2.0.0-0`).
    """
    check_range(text)
    releases = sorted(
        (release for tag in tags if (release := release_of(tag))), key=lambda r: r.order, reverse=True
    )
    wanted = _range(text)
    best = next((release for release in releases if wanted.test(release.version)), None)
    return Choice(best, tuple(releases))


def release_of(tag: str) -> Release | None:
    """Return the release of a tag, or None if its name is not a version."""
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
    """Return the sort key of identifiers: numbers by value and before words, words by ASCII, fewer before more."""
    return tuple(
        (0, int(part), "") if part.isdigit() else (1, 0, part) for part in (text.split(".") if text else ())
    )


def _range(text: str) -> Any:
    """Return the parsed range. Raises ValueError if it is not one."""
    import nodesemver  # type: ignore[import-untyped]  # compiles many patterns, which few refs need

    return nodesemver.make_range(text, False)


def _located(text: str) -> str:
    """Return the error that names the comparator that cannot be parsed."""
    start = 0
    for alternative in text.split("||"):
        for comparator in _COMPARATOR.finditer(alternative.replace(" - ", "   ")):
            try:
                _range(comparator.group())
            except ValueError:
                column = start + comparator.start() + 1
                return f"{comparator.group()!r} (character {column}) is not a comparator"
        try:
            _range(alternative)
        except ValueError:
            return f"{alternative.strip()!r} (character {start + 1}) is not a range of two versions"
        start += len(alternative) + len("||")
    return f"{text!r} cannot be parsed"
