"""Takes secrets out of text, in every form git or a server may echo them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MASK = "[redacted]"
_MIN_LINE = 12  # shorter lines of a multi-line secret are headers or padding
_MIN_BASE64 = 6  # shorter fragments match by accident


class Redactor:
    """Replaces raw, URL-encoded, JSON-escaped and base64 forms of the given secrets by `[redacted]`."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms: set[str] = set()
        for secret in secrets:
            lines = [line.strip() for line in secret.splitlines()]
            parts = {secret, secret.strip()}
            if len(lines) > 1:
                parts.update(line for line in lines if len(line) >= _MIN_LINE)
            for part in parts - {""}:
                forms.update(_forms(part))
        # Longest first, so that no form is cut by a shorter one it contains.
        self._forms = sorted(forms, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, MASK)
        return text


def _forms(secret: str) -> set[str]:
    raw = secret.encode("utf-8", "surrogateescape")
    percent = quote(raw, safe="")
    forms = {secret, percent, percent.lower(), quote(raw), quote_plus(raw), json.dumps(secret)[1:-1]}
    for offset in range(3):
        forms.update(_base64_cores(raw, offset))
    return forms - {""}


def _base64_cores(raw: bytes, offset: int) -> set[str]:
    """The characters of base64 that depend on `raw` alone when `offset` (0..2) bytes come before it.

    So `base64("user:password")` is recognised whatever the user is.
    """
    text = b"\0" * offset + raw
    start, end = -(-offset * 8 // 6), len(text) * 8 // 6
    cores = {encode(text).decode()[start:end] for encode in (base64.b64encode, base64.urlsafe_b64encode)}
    return {core for core in cores if len(core) >= _MIN_BASE64}
