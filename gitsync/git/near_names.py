"""Search for branches or tags with a name similar to a missing one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MAX_COMPARED = 5000


def nearest(name: str, names: Iterable[str], count: int = 3) -> list[str]:
    """Return at most `count` similar names, the most similar first.

    At most `MAX_COMPARED` names, those of about the same length, are compared letter by letter.
    """
    everything = list(names)
    lower = name.lower()
    same = [other for other in everything if other.lower() == lower]
    # `origin/main` for `main`, and `fix-1` for `feature/fix-1`.
    ends = [other for other in everything if other.endswith(f"/{name}") or name.endswith(f"/{other}")]
    alike = sorted(everything, key=lambda other: abs(len(other) - len(name)))[:MAX_COMPARED]
    found = [*same, *sorted(ends), *difflib.get_close_matches(name, alike, n=count, cutoff=0.6)]
    return list(dict.fromkeys(found))[:count]
