"""Suggestions for misspelled words.

Not by `difflib.get_close_matches`: its ratio counts common letters, so it offers `requires` for `retries` and `script` for
`secret`, and a cutoff above those misses `url` for `uri`. It also takes five times as long on hostile names.
"""

from __future__ import annotations

from collections.abc import Iterable

_MAX_DISTANCE = 2
_MAX_LENGTH = 48  # longer words get no suggestion: untrusted input must not cause much work
_MAX_CANDIDATES = 500


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word with the fewest edits from `word` (the first of several), or None if none is near.

    An edit is a letter added, dropped, changed, or swapped with its neighbour. A word is near if it has up to two
    edits, fewer than half of the word; case, `-` and `_` do not count. To limit the work, words over 48 characters and
    candidates after the 500th are ignored.
    """
    plain = _plain(word)
    if not plain or len(plain) > _MAX_LENGTH:
        return None
    best, best_distance = None, _MAX_DISTANCE + 1
    for count, candidate in enumerate(known):
        if count >= _MAX_CANDIDATES:
            break
        other = _plain(candidate)
        if candidate == word or len(other) > _MAX_LENGTH:
            continue
        distance = _distance(plain, other)
        if distance < best_distance and distance * 2 < max(len(plain), 2):
            best, best_distance = candidate, distance
    return best


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?`, or the empty string."""
    found = nearest(word, known)
    return f"; did you mean {found!r}?" if found else ""


def _plain(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "")


def _distance(one: str, other: str) -> int:
    """Return the optimal string alignment distance; above _MAX_DISTANCE the value is not exact."""
    far = _MAX_DISTANCE + 1
    if abs(len(one) - len(other)) > _MAX_DISTANCE:
        return far
    before: list[int] = []
    row = [column if column <= _MAX_DISTANCE else far for column in range(len(other) + 1)]
    for i, letter in enumerate(one, 1):
        last, before, row = before, row, [far] * (len(other) + 1)
        row[0] = min(i, far)
        # Only the band around the diagonal can have distances up to the maximum.
        for j in range(max(1, i - _MAX_DISTANCE), min(len(other), i + _MAX_DISTANCE) + 1):
            cost = 0 if letter == other[j - 1] else 1
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + cost)
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == other[j - 1]:
                row[j] = min(row[j], last[j - 2] + 1)
        if min(row) >= far:
            return far
    return row[len(other)]
