"""Registry of checks for connection values. An app that knows the purpose of a value registers its own checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

# Takes a connection's type and the properties that are set; returns what is wrong with them, never a value.
Check = Callable[[str, Mapping[str, str]], Iterable[str]]

_CHECKS: list[Check] = []


def register(check: Check) -> None:
    """Register a check. Registering the same check again has no effect."""
    if check not in _CHECKS:
        _CHECKS.append(check)


def wrong_values(kind: str, values: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the values, according to all registered checks."""
    return [wrong for check in _CHECKS for wrong in check(kind, values)]
