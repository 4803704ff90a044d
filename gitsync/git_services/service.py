"""What a git service has to be able to tell of a delivery. Each is a module of its own; `table` names them all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from kiok.errors import KiokError

Headers = Mapping[str, str]
"""Header fields by name, in any case, as `HttpRequest.headers` has them."""
Payload = Mapping[str, Any]
"""The body's JSON object."""


class PayloadInvalid(KiokError):
    """The body is not what the service documents for its event. The message says what is wrong and quotes nothing."""


class Service(Protocol):
    """One service. All but `changed_refs` need no look into the body's meaning, so they come before it is parsed."""

    @property
    def name(self) -> str:
        """As recorded and shown, at most 12 characters."""

    def sent(self, headers: Headers) -> bool:
        """Whether the delivery comes from such a service, by its headers."""

    def is_signed(self, headers: Headers) -> bool:
        """Whether there is anything in the headers that could prove knowledge of the secret."""

    def is_authentic(self, headers: Headers, body: bytes, secret: str) -> bool:
        """Whether the headers prove knowledge of the secret; in a time that does not depend on how wrong they are."""

    def delivery_id(self, headers: Headers) -> str:
        """What is the same when the service sends the same delivery again; "" if it gives none."""

    def event(self, headers: Headers) -> str:
        """The event as the service calls it."""

    def is_ping(self, event: str) -> bool:
        """Whether the event only tries the hook out."""

    def tells_of_refs(self, event: str) -> bool:
        """Whether the event says that refs were created, moved or deleted."""

    def changed_refs(self, event: str, payload: Payload) -> tuple[str, ...]:
        """Their full names (`refs/heads/main`). Raises PayloadInvalid."""
