"""Texts with the form of a private key that are not keys."""

from __future__ import annotations

import base64
import struct


def key_text(secret: bytes, *, cipher: bytes = b"none") -> str:
    """Return an OpenSSH key of valid form with `secret` in place of its private part."""
    parts = (cipher, b"none", b"", None, b"public", secret)
    blob = b"openssh-key-v1\0" + b"".join(
        struct.pack(">I", 1) if part is None else struct.pack(">I", len(part)) + part for part in parts
    )
    body = base64.b64encode(blob).decode()
    lines = "\n".join(body[at : at + 70] for at in range(0, len(body), 70))
    return f"-----BEGIN OPENSSH PRIVATE KEY-----\n{lines}\n-----END OPENSSH PRIVATE KEY-----\n"
