"""Errors of the delivery of notifications.

KiokError
└── NotDelivered        this attempt failed; the message is for the channel's operator
    └── DeliveryRefused the server refused the notification: a few more attempts, not attempts for a day
"""

from __future__ import annotations

from kiok.errors import KiokError


class NotDelivered(KiokError):
    """The notification could not be delivered. It is retried with back-off."""


class DeliveryRefused(NotDelivered):
    """The channel's server refused the notification."""
