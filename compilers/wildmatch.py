"""Translate a gitignore pattern to a regular expression, as git's `wildmatch.c` reads it (git 2.39, WM_PATHNAME).

Patterns and paths are compared byte by byte, as in git: `?` is one byte, not one character. Both are held as
text with one character per byte.

The patterns are untrusted and run on the host. So their regular expressions never backtrack: between two wildcards
the leftmost match is as good as any other (an atomic group).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

_SPECIAL = re.compile(r"[*?\[\\]")
_NEVER = "(?!)"
_ANY = "[^/]"
_STAR = "[^/]*"
_FOLDERS = "(?:[^/]*/)*"  # any number of folders, each followed by a slash
_GLOBSTAR = re.compile(r"\*\*+(?:/|(?=\\/)|\Z)")
# git's own character classes: ASCII only, and no vertical tab or form feed among the white space.
_CLASSES: Mapping[str, str] = {
    "alnum": r"[0-9A-Za-z]",
    "alpha": r"[A-Za-z]",
    "blank": r"[ \t]",
    "cntrl": r"[\x00-\x1f\x7f]",
    "digit": r"[0-9]",
    "graph": r"[!-~]",
    "lower": r"[a-z]",
    "print": r"[ -~]",
    "punct": r"[!-/:-@\[-`{-~]",
    "space": r"[ \t\n\r]",
    "upper": r"[A-Z]",
    "xdigit": r"[0-9A-Fa-f]",
}


def matcher(pattern: str) -> Callable[[str], object]:
    """Return a function that tests whether a path, or a name without a slash, matches the whole pattern.

    Raises re.error, OverflowError or RecursionError for an extremely long pattern.
    """
    special = _SPECIAL.search(pattern)
    if special is None:
        return pattern.__eq__
    # git compares the part before the first wildcard literally, and matches the rest as a separate pattern:
    # so the `**/` of `a**/b` counts as one at the beginning.
    literal, rest = pattern[: special.start()], pattern[special.start() :]
    return re.compile(re.escape(literal) + _regex(rest), re.DOTALL).fullmatch


def _regex(pattern: str) -> str:
    """Return the regular expression of a whole pattern."""
    *blocks, last = _blocks(pattern)
    if not blocks:
        return last
    first, *between = blocks
    kept = "".join(f"(?>(?:[^/]*/)*?{block})" for block in between)
    return f"{first}{kept}{_FOLDERS}{last}"


def _blocks(pattern: str) -> list[str]:
    """Return the parts between the `**/` of a pattern, each as a regular expression.

    Each part but the last ends with a slash (or is empty), since a `**` is special only after one.
    """
    blocks: list[str] = []
    block: list[str] = []  # regular expressions of the components so far
    component: list[str] = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        if character == "*":
            at_start = position == 0 or pattern[position - 1] == "/"
            globstar = _GLOBSTAR.match(pattern, position) if at_start else None
            end = _end_of_stars(pattern, position)
            if globstar is None:
                component.append(_STAR)
            elif globstar.end() > end:
                blocks.append("".join([*block, *component]))
                block, component = [], []
                end += 1
            elif end == len(pattern):
                return [*blocks, "".join(block) + ".*"]
            else:  # `**\/`: at least one folder
                blocks.append("".join([*block, *component, "[^/]*/"]))
                block, component = [], []
                end += 2
            position = end
        elif character == "/":
            block.append(_component(component) + "/")
            component = []
            position += 1
        else:
            part, position = _one_byte(pattern, position)
            if part == "/":
                block.append(_component(component) + "/")
                component = []
            else:
                component.append(part)
    return [*blocks, "".join(block) + _component(component)]


def _end_of_stars(pattern: str, position: int) -> int:
    while position < len(pattern) and pattern[position] == "*":
        position += 1
    return position


def _component(parts: Sequence[str]) -> str:
    """Return the regular expression of a path component that is followed by a slash or the end."""
    pieces: list[str] = [""]
    for part in parts:
        if part == _STAR:
            pieces.append("")
        else:
            pieces[-1] += part
    first, *rest = pieces
    if not rest:
        return first
    kept = "".join(f"(?>[^/]*?{piece})" for piece in rest[:-1] if piece)
    return f"{first}{kept}{_STAR}{rest[-1]}"


def _one_byte(pattern: str, position: int) -> tuple[str, int]:
    """Return the regular expression of a `?`, a `[...]` or a literal byte, and the position after it."""
    character = pattern[position]
    if character == "?":
        return _ANY, position + 1
    if character == "[":
        found = _bracket(pattern, position + 1)
        return found if found is not None else (_NEVER, len(pattern))
    if character == "\\":
        position += 1
        if position == len(pattern):
            return _NEVER, position
        character = pattern[position]
    return ("/" if character == "/" else re.escape(character)), position + 1


def _bracket(pattern: str, position: int) -> tuple[str, int] | None:
    """Return the regular expression of a bracket whose content begins at `position`; None if it is not closed."""
    negated = pattern[position : position + 1] in ("!", "^")
    position += negated
    members: list[str] = []
    previous = ""
    is_first = True
    while True:
        character = pattern[position : position + 1]
        if not character:
            return None
        if character == "]" and not is_first:
            break
        is_first = False
        following = pattern[position + 1 : position + 2]
        if character == "\\":
            position, previous = position + 1, following
            if not following:
                return None
            members.append(re.escape(following))
        elif character == "-" and previous and following and following != "]":
            position += 1
            if following == "\\":
                position += 1
                following = pattern[position : position + 1]
                if not following:
                    return None
            if previous <= following:
                members.append(f"{re.escape(previous)}-{re.escape(following)}")
            previous = ""
        elif character == "[" and following == ":":
            end = pattern.find("]", position + 2)
            if end < 0:
                return None
            if end == position + 2 or pattern[end - 1] != ":":
                members.append(re.escape(character))
                previous = character
            else:
                named = _CLASSES.get(pattern[position + 2 : end - 1])
                if named is None:
                    return None
                members.append(named[1:-1])
                position, previous = end, ""
        else:
            members.append(re.escape(character))
            previous = character
        position += 1
    inside = "".join(members)
    if negated:
        return f"[^/{inside}]", position + 1
    return (f"(?!/)[{inside}]" if inside else _NEVER), position + 1
