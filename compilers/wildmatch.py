"""One gitignore pattern as a regular expression, with the meaning of git's `wildmatch.c` (git 2.39, WM_PATHNAME).

Patterns and paths are compared byte by byte, as in git: `?` is one byte, not one character. Both are held as
text of one character for each byte.

The patterns are hostile, and run on the host. So their regular expressions never try a place again once it is
found: of what lies between two wildcards the leftmost place is as good as any other (an atomic group).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

_SPECIAL = re.compile(r"[*?\[\\]")
_NEVER = "(?!)"
_ANY = "[^/]"
_STAR = "[^/]*"
_FOLDERS = "(?:[^/]*/)*"  # any number of folders, each with its slash
_GLOBSTAR = re.compile(r"\*\*+(?:/|(?=\\/)|\Z)")
# git's own classes of bytes: ASCII only, and no vertical tab or form feed among the white space.
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
    """Return what tells whether a path, or a name without a slash, matches the whole pattern.

    Raises re.error, OverflowError or RecursionError for one of absurd length.
    """
    special = _SPECIAL.search(pattern)
    if special is None:
        return pattern.__eq__
    # git compares what comes before the first wildcard by itself, and matches the rest as a pattern of its own:
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
    """Return what is between the `**/` of a pattern, each as a regular expression.

    All but the last end with a slash (or are empty), since a `**` only counts after one.
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
    """Return the regular expression of one component of a path, which a slash or the end follows."""
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
    """Return the regular expression of `?`, of a `[...]`, or of a byte that stands for itself; and where it ends."""
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
    """Return the regular expression of a bracket whose inside begins at `position`; None where it is not closed."""
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
