"""Redaction of secrets in text, in every encoding in which git or a server may echo them."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MASK = "[redacted]"
_MIN_LINE = 12  # shorter lines of a multi-line secret are headers or padding
_LINE_WIDTHS = (64, 76)  # line widths of base64 in PEM and MIME
_MIN_BASE64 = 6  # shorter fragments match by accident


class Redactor:
    """A redactor that replaces secrets with `[redacted]`: raw, percent-encoded, base64, hexadecimal, escaped.

    Cut texts after the redaction, not before: a partial secret is not found.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms: set[str] = set()
        for secret in secrets:
            lines = [line.strip() for line in secret.splitlines()]
            parts = {secret, secret.strip()}
            if len(lines) > 1:
                parts.update(line for line in lines if len(line) >= _MIN_LINE)
            for part in parts - {""}:
                forms.update(_forms(part))
        # Longest first, so that a shorter form does not cut a longer one that contains it.
        self._forms = sorted(forms, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, MASK)
        return text


def _forms(secret: str) -> set[str]:
    raw = secret.encode("utf-8", "surrogateescape")
    percent, every = quote(raw, safe=""), "".join(f"%{byte:02X}" for byte in raw)
    forms = {secret, percent, _lower(percent), quote(raw), quote_plus(raw), every, every.lower()}
    forms |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], html.escape(secret)}
    forms |= {repr(secret)[1:-1], ascii(secret)[1:-1], repr(raw)[2:-1], raw.hex(), raw.hex().upper()}
    for offset in range(3):
        forms.update(_base64_cores(raw, offset))
    encoded = base64.b64encode(raw).decode()
    for width in _LINE_WIDTHS:
        lines = (encoded[start : start + width] for start in range(0, len(encoded), width))
        forms.update(line for line in lines if len(line) >= _MIN_LINE)
    return forms - {""}


def _lower(percent: str) -> str:
    """Return the text with lower-case escapes: `%c3` for `%C3`."""
    return re.sub("%..", lambda escape: escape[0].lower(), percent)


def _base64_cores(raw: bytes, offset: int) -> set[str]:
    """Return the base64 characters that depend on `raw` alone if `offset` (0..2) bytes precede it.

    They find `base64("user:password")` for any user.
    """
    text = b"\0" * offset + raw
    start, end = -(-offset * 8 // 6), len(text) * 8 // 6
    cores = {encode(text).decode()[start:end] for encode in (base64.b64encode, base64.urlsafe_b64encode)}
    return {core for core in cores if len(core) >= _MIN_BASE64}
