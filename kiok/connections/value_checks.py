"""Checks of the values that are entered into connections. An app that knows what a value is for registers its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

Check = Callable[[str, Mapping[str, str]], Iterable[str]]
"""From a connection's type and the properties that are set to what is wrong with them; it never repeats a value."""

_CHECKS: list[Check] = []


def register(check: Check) -> None:
    """Have a check asked from now on. The same check may be registered again."""
    if check not in _CHECKS:
        _CHECKS.append(check)


def wrong_values(kind: str, values: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the values, as all registered checks say."""
    return [wrong for check in _CHECKS for wrong in check(kind, values)]
