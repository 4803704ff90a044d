"""Redaction of secrets in logs, errors and stored messages.

Every value that a connection decrypts is registered here, and `redact` replaces it in each form in which it
tends to leak: literal, percent-encoded, base64 (also as the end of `user:password`), hexadecimal, escaped for
JSON, HTML and Python, and line by line for multi-line keys. It is the last line of defence, not the first: no
code should pass a secret to a log at all. Truncate texts after redaction, not before: of a truncated secret,
only a larger first part is recognised.

The registry keeps the values that this process has decrypted, because an exception is often logged long after
the code that used the secret has finished. At the limit, the oldest values are removed.
"""

from __future__ import annotations

import base64
import html
import json
import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MAX_SECRETS = 512
MAX_FORM_CHARACTERS = 16 * 1024 * 1024  # all forms together; those of an RSA key have about 100 000
# Shorter values ("git", "main") would redact half of every message, and reveal themselves by that.
MIN_LENGTH = 6
REPLACEMENT = "[redacted]"
_MIN_CUT_LENGTH = 12
_LINE_WIDTHS = (64, 76)  # characters per line of base64 in PEM and MIME

_USERINFO = re.compile(
    r"(?i)\b([a-z][a-z0-9+.-]{1,30}://)"
    r"(?:[^\s/?#@\"'<>]*:[^\s/?#\"'<>]*"
    # A password that contains a slash: the text after the colon is not a port.
    r"|[^\s/?#@:\"'<>]+:(?!\d{0,5}(?:[/?#\s]|\Z))[^\s\"'<>]*)@"
)
# A text that is only such a URL, as from a form: everything up to its last @ is redacted.
_URL_ALONE = re.compile(
    r"(?i)\A(\s*[a-z][a-z0-9+.-]{1,30}://)[^\s/?#@:\"'<>]+:(?!\d{0,5}(?:[/?#\s]|\Z))[^\n]*@"
)
_TOKEN_USER = re.compile(r"(?i)\b(https?://)[^\s/?#@:\"'<>]+@")
# The scp form with a password, which is not a URL: user:password@host:path.
_SCP_PASSWORD = re.compile(r"(?<![\w/@:.%+-])([\w.%+-]+):[^\s:@\"'<>]+@(?=[A-Za-z0-9.-]+:[^\s\d])")
_HEADER = re.compile(r"(?i)\b(authorization\s*[:=]\s*)(basic|bearer|token)\s+[^\s\"',]+")
_PEM = re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?(-----END \1-----|\Z)", re.DOTALL)

_lock = threading.Lock()
_secrets: OrderedDict[str, frozenset[str]] = OrderedDict()
_uses: Counter[str] = Counter()
# Forms by their first `MIN_LENGTH` characters, longest first, so that a shorter form never matches inside a longer one.
# A dictionary instead of one large pattern: recompiling that for each of a thousand keys takes minutes.
_index: dict[str, tuple[str, ...]] = {}
_characters = 0


def register(values: Iterable[str]) -> None:
    """Make `redact` replace these values from now on. Values shorter than `MIN_LENGTH` are ignored."""
    with _lock:
        for value in values:
            if len(value.strip()) < MIN_LENGTH:
                continue
            if value in _secrets:
                _secrets.move_to_end(value)
                continue
            _add(value, frozenset(_forms(value)))
        while len(_secrets) > MAX_SECRETS or (_characters > MAX_FORM_CHARACTERS and len(_secrets) > 1):
            _remove(next(iter(_secrets)))


def forget() -> None:
    """Empty the registry."""
    global _characters
    with _lock:
        _secrets.clear()
        _uses.clear()
        _index.clear()
        _characters = 0


def redact(text: str) -> str:
    """Return the text without registered secrets, credentials in URLs and headers, and private keys."""
    text = _without_secrets(text)
    if "-----BEGIN" in text:
        text = _PEM.sub(REPLACEMENT, text)
    if "@" in text:
        text = _URL_ALONE.sub(rf"\1{REPLACEMENT}@", text)
        text = _USERINFO.sub(rf"\1{REPLACEMENT}@", text)
        text = _TOKEN_USER.sub(rf"\1{REPLACEMENT}@", text)
        text = _SCP_PASSWORD.sub(rf"{REPLACEMENT}@", text)
    return _HEADER.sub(rf"\1\2 {REPLACEMENT}", text)


def _without_secrets(text: str) -> str:
    if not _index:
        return text
    parts: list[str] = []
    kept_from = at = 0
    last = len(text) - MIN_LENGTH
    while at <= last:
        candidates = _index.get(text[at : at + MIN_LENGTH])
        length = _matched(text, at, candidates) if candidates else 0
        if not length:
            at += 1
            continue
        parts += (text[kept_from:at], REPLACEMENT)
        kept_from = at = at + length
    return "".join((*parts, text[kept_from:])) if parts else text


def _matched(text: str, at: int, forms: Iterable[str]) -> int:
    """Return how many characters from `at` on match a form, or the larger part of one that was cut; 0: none."""
    longest = 0
    for form in forms:
        if text.startswith(form, at):
            longest = max(longest, len(form))
        elif text.startswith(form[: max(_MIN_CUT_LENGTH, len(form) // 2)], at):
            longest = max(longest, _common(form, text, at))
    return longest


def _common(form: str, text: str, at: int) -> int:
    """Return how many characters of the form match at that place."""
    pairs = enumerate(zip(form, text[at : at + len(form)], strict=False))
    return next((index for index, (one, other) in pairs if one != other), min(len(form), len(text) - at))


def _add(value: str, forms: frozenset[str]) -> None:
    global _characters
    _secrets[value] = forms
    for form in forms:
        _uses[form] += 1
        if _uses[form] == 1:
            _characters += len(form)
            start = form[:MIN_LENGTH]
            _index[start] = tuple(sorted((*_index.get(start, ()), form), key=len, reverse=True))


def _remove(value: str) -> None:
    global _characters
    for form in _secrets.pop(value):
        _uses[form] -= 1
        if not _uses[form]:
            del _uses[form]
            _characters -= len(form)
            start = form[:MIN_LENGTH]
            if rest := tuple(other for other in _index[start] if other != form):
                _index[start] = rest
            else:
                del _index[start]


def _forms(value: str) -> Iterable[str]:
    for part in {value, value.strip(), *(line.strip() for line in value.splitlines())}:
        if len(part) < MIN_LENGTH or (part.startswith("-----") and "\n" not in part):
            continue
        raw = part.encode()
        percent, every = quote(part, safe=""), "".join(f"%{byte:02X}" for byte in raw)
        yield from (part, percent, _lower(percent), quote(part), quote_plus(part), every, every.lower())
        yield from (json.dumps(part)[1:-1], json.dumps(part, ensure_ascii=False)[1:-1], html.escape(part))
        yield from (repr(part)[1:-1], ascii(part)[1:-1], repr(raw)[2:-1], raw.hex(), raw.hex().upper())
        for offset in range(3):
            yield from _base64_cores(raw, offset)
        if "\n" in part or len(raw) > _LINE_WIDTHS[0] * 6 // 8:
            encoded = base64.b64encode(raw).decode()
            for width in _LINE_WIDTHS:
                lines = (encoded[start : start + width] for start in range(0, len(encoded), width))
                yield from (line for line in lines if len(line) >= MIN_LENGTH)


def _lower(percent: str) -> str:
    """Convert the percent escapes to lower case: `%c3` for `%C3`."""
    return re.sub("%..", lambda escape: escape[0].lower(), percent)


def _base64_cores(raw: bytes, offset: int) -> Iterable[str]:
    """Return the base64 characters that depend only on `raw` if `offset` (0..2) bytes precede it.

    They make `base64("user:password")` recognisable for any user.
    """
    text = b"\0" * offset + raw
    start, end = -(-offset * 8 // 6), len(text) * 8 // 6
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(text).decode()[start:end]
