"""Reading a delivery's body, strictly. Only what was authenticated is read."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from gitsync.git_services.service import Payload, PayloadInvalid
from kiok import strict_json

FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 10


def read(body: bytes, content_type: str) -> Payload:
    """The body's JSON object; of a form, that in its field `payload`. Raises PayloadInvalid."""
    if content_type.partition(";")[0].strip().lower() == FORM:
        body = _of_form(body)
    try:
        payload = strict_json.parse(body)
    except strict_json.StrictJsonError as exc:
        raise PayloadInvalid("the body is not acceptable JSON") from exc
    if not isinstance(payload, dict):
        raise PayloadInvalid("the body is no JSON object")
    return payload


def text(payload: Any, *path: str) -> str:
    """The text at a path of keys. Raises PayloadInvalid."""
    value = at(payload, *path)
    if not isinstance(value, str):
        raise PayloadInvalid(f"{'.'.join(path)} is missing or no text")
    return value


def objects(payload: Any, *path: str) -> list[Any]:
    """The list at a path of keys. Raises PayloadInvalid."""
    value = at(payload, *path)
    if not isinstance(value, list):
        raise PayloadInvalid(f"{'.'.join(path)} is missing or no list")
    return value


def at(payload: Any, *path: str) -> Any:
    """The value at a path of keys, None where there is none."""
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
