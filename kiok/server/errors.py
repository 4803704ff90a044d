"""Errors that stop the service from starting.

KiokError
└── ConfigurationError      the operator must act; the message says how
    ├── PropertyError       one or more properties with bad values, or unknown ones
    └── DatabaseUnavailable the embedded PostgreSQL cannot be used
"""

from __future__ import annotations

from collections.abc import Sequence

from kiok.errors import KiokError


class ConfigurationError(KiokError):
    """Wrong configuration. The message names the setting, where it was read, and the allowed values."""


class PropertyError(ConfigurationError):
    """All problems of the properties, one per line, so that one start shows all of them."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class DatabaseUnavailable(ConfigurationError):
    """The embedded PostgreSQL does not start. The message ends with the end of its log."""
