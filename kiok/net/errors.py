"""Errors of a url's server.

KiokError
└── NetError        .reason names the cause
"""

from __future__ import annotations

from enum import StrEnum

from kiok.errors import KiokError


class NetReason(StrEnum):
    """The stable name of a cause. `gitsync.git.errors.GitReason` has each of them, with the same value and meaning."""

    NETWORK = "network"  # the host's name cannot be resolved; a retry may succeed
    URL_INVALID = "url_invalid"
    PROTOCOL_NOT_ALLOWED = "protocol_not_allowed"
    HOST_NOT_ALLOWED = "host_not_allowed"  # a private or other special-purpose address


class NetError(KiokError):
    """A server that cannot be used. `str()` of it contains no secret and can be shown to users."""

    def __init__(self, reason: NetReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    @property
    def transient(self) -> bool:
        """Return whether the same url may be usable later without any change."""
        return self.reason is NetReason.NETWORK
