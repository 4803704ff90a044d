"""What stops the platform from starting.

KiokError
└── ConfigurationError      the operator must act; the message is all they need
    ├── PropertyError       one or more properties with bad values, or unknown ones
    └── DatabaseUnavailable the embedded PostgreSQL cannot be had
"""

from __future__ import annotations

from collections.abc import Sequence

from kiok.errors import KiokError


class ConfigurationError(KiokError):
    """The configuration is wrong. The message names what, where it was read, and what is allowed."""


class PropertyError(ConfigurationError):
    """Every problem of the properties at once, one per line, so that one start shows them all."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class DatabaseUnavailable(ConfigurationError):
    """The embedded PostgreSQL does not start. The message ends with what its log says."""
