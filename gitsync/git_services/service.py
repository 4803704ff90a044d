"""Interface of a git service's webhooks. Each service has a module of its own; `table` lists them all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from kiok.errors import KiokError

Headers = Mapping[str, str]  # header fields by case-insensitive name, as in `HttpRequest.headers`
Payload = Mapping[str, Any]  # the JSON object of the body


class PayloadInvalid(KiokError):
    """The body does not match the service's documentation of the event. The message names the error and quotes nothing."""


class Service(Protocol):
    """The webhooks of one git service. Only `changed_refs` needs the parsed body; the others are called before."""

    @property
    def name(self) -> str:
        """Return the name that is recorded and shown, at most 12 characters."""

    def sent(self, headers: Headers) -> bool:
        """Return whether the headers are those of a delivery from this service."""

    def is_signed(self, headers: Headers) -> bool:
        """Return whether the headers contain a signature or token."""

    def is_authentic(self, headers: Headers, body: bytes, secret: str) -> bool:
        """Return whether the headers prove knowledge of the secret, by constant-time comparison."""

    def delivery_id(self, headers: Headers) -> str:
        """Return the id that stays the same when the service sends the delivery again; "" if it has none."""

    def event(self, headers: Headers) -> str:
        """Return the service's name of the event."""

    def is_ping(self, event: str) -> bool:
        """Return whether the event only tests the hook."""

    def tells_of_refs(self, event: str) -> bool:
        """Return whether the event reports that refs were created, moved or deleted."""

    def changed_refs(self, event: str, payload: Payload) -> tuple[str, ...]:
        """Return the full names of the changed refs (`refs/heads/main`). Raise PayloadInvalid."""
