"""Keeps secrets out of what is written: logs, errors, stored messages.

Every value that a connection decrypts is registered here, and `redact` replaces it, in each form in which it
tends to leak: as it is, percent-encoded, base64, JSON- and repr-escaped, and line by line for keys of many
lines. It is the last line of defence, not the first: nothing is meant to pass a secret to a log at all.

The registry holds what this process has decrypted, at most `MAX_SECRETS` values, the oldest leaving first: an
exception is often logged well after the code that held the secret is done.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MAX_SECRETS = 512
# Shorter ones ("git", "main") would blank half of every message and tell what they are by it.
MIN_LENGTH = 6
REPLACEMENT = "[redacted]"

_USERINFO = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,30}://)[^\s/?#@\"'<>]*:[^\s/?#\"'<>]*@")
_TOKEN_USER = re.compile(r"(?i)\b(https?://)[^\s/?#@:\"'<>]+@")
_HEADER = re.compile(r"(?i)\b(authorization\s*[:=]\s*)(basic|bearer|token)\s+[^\s\"',]+")
_PEM = re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?(-----END \1-----|\Z)", re.DOTALL)

_lock = threading.Lock()
_secrets: OrderedDict[str, tuple[str, ...]] = OrderedDict()
_pattern: re.Pattern[str] | None = None


def register(values: Iterable[str]) -> None:
    """Have `redact` replace these values from now on. Those shorter than `MIN_LENGTH` are left out."""
    global _pattern
    with _lock:
        changed = False
        for value in values:
            if len(value.strip()) < MIN_LENGTH:
                continue
            if value in _secrets:
                _secrets.move_to_end(value)
                continue
            _secrets[value] = tuple(_forms(value))
            changed = True
        while len(_secrets) > MAX_SECRETS:
            _secrets.popitem(last=False)
        if changed:
            forms = {form for secret in _secrets.values() for form in secret}
            # Longest first, so that no form is cut in two by a shorter one inside it.
            _pattern = re.compile("|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)))


def forget() -> None:
    """Empty the registry."""
    global _pattern
    with _lock:
        _secrets.clear()
        _pattern = None


def redact(text: str) -> str:
    """The text without registered secrets, credentials in urls and headers, and private keys."""
    pattern = _pattern
    if pattern is not None:
        text = pattern.sub(REPLACEMENT, text)
    if "-----BEGIN" in text:
        text = _PEM.sub(REPLACEMENT, text)
    if "@" in text:
        text = _USERINFO.sub(rf"\1{REPLACEMENT}@", text)
        text = _TOKEN_USER.sub(rf"\1{REPLACEMENT}@", text)
    return _HEADER.sub(rf"\1\2 {REPLACEMENT}", text)


def _forms(value: str) -> Iterable[str]:
    for part in {value, value.strip(), *(line.strip() for line in value.splitlines())}:
        if len(part) < MIN_LENGTH or part.startswith("-----"):
            continue
        raw = part.encode()
        encoded = base64.b64encode(raw).decode()
        yield from (part, quote(part, safe=""), quote(part), quote_plus(part))
        yield from (json.dumps(part)[1:-1], json.dumps(part, ensure_ascii=False)[1:-1], repr(part)[1:-1])
        yield from (encoded, encoded.rstrip("="), base64.urlsafe_b64encode(raw).decode().rstrip("="))
