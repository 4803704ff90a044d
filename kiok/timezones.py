"""Names of time zones: those of the time zone data of the machine that checks a DAG.

A list of its own would age: names are added to the IANA database, and some are removed from it. The host that runs the
schedules checks every DAG last, so its data decides. A machine without time zone data accepts any name of the right form.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from kiok.spelling import did_you_mean
from kiok.text import shown

MAX_CHARACTERS = 64
RULE = "the name of an IANA time zone, such as 'Europe/Berlin' or 'UTC'"

_NAME = re.compile(r"[A-Z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}")
# Entries of the database's folder that are no zones, or repeat all zones.
_NO_ZONES = frozenset({"Factory", "localtime", "posixrules"})
_COPIES = ("posix", "right")
_MAGIC = b"TZif"  # RFC 8536


def timezone_flaw(name: str) -> str | None:
    """Return why `name` cannot be the time zone of a DAG, with the rule; None if it can."""
    if len(name) <= MAX_CHARACTERS and _NAME.fullmatch(name) and is_known(name):
        return None
    return f"{shown(name)} is not a time zone; allowed: {RULE}{_suggestion(name)}"


@lru_cache(maxsize=1024)
def is_known(name: str) -> bool:
    """Return whether the time zone data has this name, in this case; True if there is no data."""
    folders = _folders()
    if not folders:
        return True
    if name in _NO_ZONES or name.partition("/")[0] in _COPIES:
        return False
    return any(_is_zone(folder / name) for folder in folders)


@lru_cache(maxsize=1)
def _folders() -> tuple[Path, ...]:
    from zoneinfo import TZPATH  # few DAGs name a time zone

    return tuple(folder for folder in map(Path, TZPATH) if _is_zone(folder / "UTC"))


def _is_zone(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def _suggestion(name: str) -> str:
    """Return `; did you mean 'Europe/Berlin'?`, or the empty string."""
    if len(name) > MAX_CHARACTERS:
        return ""
    names = _names()
    folded = name.replace(" ", "_").lower()
    for known in names:
        if folded in (known.lower(), known.rpartition("/")[2].lower()):
            return f"; did you mean {known!r}?"
    region = folded.partition("/")[0]
    near = [known for known in names if known.lower().partition("/")[0] == region]
    return did_you_mean(name, near)


@lru_cache(maxsize=1)
def _names() -> tuple[str, ...]:
    """Return the names of all zones, sorted; only an error needs them."""
    found = set()
    for folder in _folders():
        paths = (path.relative_to(folder) for path in folder.rglob("*"))
        found |= {path.as_posix() for path in paths if path.parts[0] not in _COPIES}
    return tuple(sorted(name for name in found if _NAME.fullmatch(name) and is_known(name)))
