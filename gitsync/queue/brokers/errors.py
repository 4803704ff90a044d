"""What can go wrong with asking a worker for something.

KiokError
└── BrokerAway      the broker does not answer; nothing was asked for
"""

from __future__ import annotations

from kiok.errors import KiokError


class BrokerAway(KiokError):
    """No worker can be asked. The message is for whoever asked, `found` and `remedy` for who looks after the service.

    `found` ends with what the broker's client says, which names hosts and ports.
    """

    def __init__(self, broker: str, said: str, remedy: str) -> None:
        super().__init__(
            f"No worker can be asked: {broker}, which carries tasks to them, does not answer. Try again in a while. "
            f"If it stays so, whoever looks after the service has to act: {remedy}"
        )
        self.found = f"{broker} does not answer: {said.rstrip('.')}"
        self.remedy = remedy
