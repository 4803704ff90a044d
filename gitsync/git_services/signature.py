"""Comparing signatures and tokens, in a time that does not depend on where they differ."""

from __future__ import annotations

import hashlib
import hmac


def is_hmac_of(given: str, body: bytes, secret: str, *, prefix: str = "") -> bool:
    """Whether `given` is the prefix and the body's HMAC-SHA256 under the secret, in lower-case hexadecimal."""
    return is_same(given, prefix + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest())


def is_same(given: str, wanted: str) -> bool:
    """Whether a header's value is the wanted text. Servers hand its bytes over as Latin-1 (PEP 3333)."""
    # Digests, so that not even the length of the wanted text shows.
    found, sought = (
        hashlib.sha256(text).digest() for text in (given.encode("latin-1", "replace"), wanted.encode())
    )
    return hmac.compare_digest(found, sought)
