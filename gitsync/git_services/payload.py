"""Strict parsing of a delivery's body. Only authenticated bodies are parsed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from kiok import strict_json
from kiok.errors import KiokError

Payload = Mapping[str, Any]  # the JSON object of the body

FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 10


class PayloadInvalid(KiokError):
    """The body does not match the service's documentation of the event. The message names the error and quotes nothing."""


def read(body: bytes, content_type: str) -> Payload:
    """Return the body's JSON object; of a form, the object in its field `payload`. Raise PayloadInvalid."""
    if content_type.partition(";")[0].strip().lower() == FORM:
        body = _of_form(body)
    try:
        payload = strict_json.parse(body)
    except strict_json.StrictJsonError as exc:
        raise PayloadInvalid("the body is not valid JSON") from exc
    if not isinstance(payload, dict):
        raise PayloadInvalid("the body is not a JSON object")
    return payload


def text(payload: Any, *path: str) -> str:
    """Return the string at a path of keys. Raise PayloadInvalid."""
    value = at(payload, *path)
    if not isinstance(value, str):
        raise PayloadInvalid(f"{'.'.join(path)} is missing or not a string")
    return value


def objects(payload: Any, *path: str) -> list[Any]:
    """Return the list at a path of keys. Raise PayloadInvalid."""
    value = at(payload, *path)
    if not isinstance(value, list):
        raise PayloadInvalid(f"{'.'.join(path)} is missing or not a list")
    return value


def at(payload: Any, *path: str) -> Any:
    """Return the value at a path of keys, or None if it is missing."""
    for key in path:
        if not isinstance(payload, dict):
            return None
        payload = payload.get(key)
    return payload


def _of_form(body: bytes) -> bytes:
    try:
        fields = parse_qs(body.decode("ascii"), errors="strict", max_num_fields=MAX_FIELDS)
        return fields["payload"][0].encode()
    except (ValueError, KeyError) as exc:
        raise PayloadInvalid("the form has no readable field 'payload'") from exc
