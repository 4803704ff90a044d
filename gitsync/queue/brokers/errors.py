"""Errors of brokers.

KiokError
└── BrokerAway      the broker does not answer; nothing was enqueued
"""

from __future__ import annotations

from kiok.errors import KiokError


class BrokerAway(KiokError):
    """Error for a broker that does not answer. The message is for the user, `found` and `remedy` are for operators.

    `found` ends with the error of the broker's client, which names hosts and ports.
    """

    def __init__(self, broker: str, message: str, remedy: str) -> None:
        super().__init__(
            f"No worker can be reached: {broker}, which carries their tasks, does not answer. Try again later. "
            f"If the problem persists, an operator must act: {remedy}"
        )
        self.found = f"{broker} does not answer: {message.rstrip('.')}"
        self.remedy = remedy
