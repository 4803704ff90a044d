"""What can go wrong with telling somebody.

KiokError
└── NotDelivered        this attempt failed; the message is for whoever looks after the receiver
    └── Refused         the receiver understood and does not want it: it is tried a few times, not for a day
"""

from __future__ import annotations

from kiok.errors import KiokError


class NotDelivered(KiokError):
    """The receiver could not be told. Tried again with growing pauses."""


class Refused(NotDelivered):
    """The receiver answered that it does not take this."""
