"""Constant-time comparison of signatures and tokens."""

from __future__ import annotations

import hashlib
import hmac


def is_hmac_of(given: str, body: bytes, secret: str, *, prefix: str = "") -> bool:
    """Return whether `given` is the prefix and the body's HMAC-SHA256 under the secret, in lower-case hexadecimal."""
    return is_same(given, prefix + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest())


def is_same(given: str, wanted: str) -> bool:
    """Return whether a header's value equals the expected text. Servers decode header bytes as Latin-1 (PEP 3333)."""
    # Compare digests, so that not even the length of the expected text is revealed.
    found, sought = (
        hashlib.sha256(text).digest() for text in (given.encode("latin-1", "replace"), wanted.encode())
    )
    return hmac.compare_digest(found, sought)
