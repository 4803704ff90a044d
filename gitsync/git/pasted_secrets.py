"""Checks of private keys, tokens and passwords as people paste them, with precise errors.

A server does not say what is wrong with a token or password. For an unreadable key ssh reports only "invalid format" or
"error in libcrypto", and the server refuses the login. A key is normalized to the format that ssh reads. The formats are
those of https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.key and RFC 7468.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\n(.*?)\n-----END \1-----", re.DOTALL)
_BEGIN = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----")
_PUBLIC = re.compile(r"(ssh-(rsa|dss|ed25519|ed448)|ecdsa-sha2-\S+|sk-(ssh|ecdsa)-\S+)\s+AAAA")
_OPENSSH = b"openssh-key-v1\0"
_KEY = "PRIVATE KEY"


def normalized_key(text: str) -> str:
    """Return the key with Unix line ends, without surrounding white space, and with a line break at its end.

    Raises ValueError. Its message says what is wrong and never shows a part of the key.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip("\ufeff \t\n")
    text = "\n".join(line.rstrip(" \t") for line in text.split("\n"))
    if "\0" in text:
        raise ValueError("contains NUL")
    _refuse_other_things(text)
    _refuse_broken_lines(text)
    found = list(_BLOCK.finditer(text))
    if not found or _BLOCK.sub("", text).strip():
        _refuse_incomplete(text, bool(found))
    for block in found:
        if block[1].endswith(_KEY):
            _check_body(block[1], block[2])
    return text + "\n"


def is_encrypted(key: str) -> bool:
    """Return whether a normalized key needs a passphrase, according to its header."""
    if "ENCRYPTED" in key:
        return True
    if "BEGIN OPENSSH PRIVATE KEY" not in key:
        return False
    blob = base64.b64decode("".join(line for line in key.splitlines() if not line.startswith("-----")))
    # The cipher's name is a length-prefixed string.
    return blob.startswith(_OPENSSH) and blob[15:23] != b"\0\0\0\x04none"


def _refuse_other_things(text: str) -> None:
    if text.startswith("PuTTY-User-Key-File-"):
        raise ValueError(PUTTY)
    if _PUBLIC.match(text) or re.match(r"-{4,5} ?BEGIN (SSH2 |RSA )?PUBLIC KEY", text):
        raise ValueError("is a public key. Enter the private one, from the file without .pub")
    if text.startswith("---- BEGIN SSH2"):
        raise ValueError("is in the format of ssh.com. Convert it with: ssh-keygen -i -f KEY")
    labels = _BEGIN.findall(text)
    if labels and not any(label.endswith(_KEY) for label in labels):
        raise ValueError(f"is not a private key in OpenSSH or PEM format, but a {labels[0].lower()}")


def _refuse_broken_lines(text: str) -> None:
    if "\\n" in text or "\\r" in text:
        raise ValueError(
            r"contains the two characters \n instead of line breaks. Enter it with real line breaks, as in its file"
        )
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        if line[:1] in (" ", "\t"):
            raise ValueError(
                f"has white space at the beginning of line {number}. Enter it without indentation, as in its file"
            )
    if len(lines) == 1 and _BEGIN.match(text) and "-----END " in text:
        raise ValueError("is all on one line. Enter it with its line breaks, as in its file")


def _refuse_incomplete(text: str, has_block: bool) -> None:
    """Raise the error that says which end of the key is missing."""
    begin = _BEGIN.search(text)
    if begin is None:
        if "-----END " in text:
            raise ValueError("is truncated: its first line, -----BEGIN ... PRIVATE KEY-----, is missing")
        raise ValueError("is not a private key in OpenSSH or PEM format (-----BEGIN ... PRIVATE KEY-----)")
    if f"-----END {begin[1]}-----" not in text:
        raise ValueError(f"is truncated: its last line, -----END {begin[1]}-----, is missing")
    if has_block:
        raise ValueError("has text before or after the key. Enter only the lines from -----BEGIN to -----END")
    raise ValueError("is empty between its first and its last line")


def _check_body(label: str, body: str) -> None:
    """Raise ValueError if the body is not base64 or not complete."""
    lines = body.split("\n")
    is_legacy_encrypted = any(line.startswith("Proc-Type:") for line in lines)
    data = "".join(line for line in lines if ":" not in line)
    for number, line in enumerate(lines, start=2):
        if ":" not in line and re.search(r"[^A-Za-z0-9+/=]", line):
            raise ValueError(
                f"has a character in line {number} that is not base64. Copy it again from its file"
            )
    try:
        blob = base64.b64decode(data, validate=True)
    except binascii.Error as exc:
        raise ValueError("is damaged: its base64 text is not complete. Copy it again from its file") from exc
    is_openssh = label == "OPENSSH PRIVATE KEY"
    if not (_is_whole_openssh(blob) if is_openssh else is_legacy_encrypted or _is_whole_der(blob)):
        raise ValueError("is damaged: some of its lines are missing or changed. Copy it again from its file")


def _is_whole_openssh(blob: bytes) -> bool:
    """Return whether an OpenSSH key contains all the parts whose lengths it declares."""
    if not blob.startswith(_OPENSSH):
        return False
    at = len(_OPENSSH)
    for part in ("cipher", "kdf", "kdf options", "number", "public key", "private key"):
        at += 4 + (0 if part == "number" else int.from_bytes(blob[at : at + 4], "big"))
        if at > len(blob):
            return False
    return True


def _is_whole_der(blob: bytes) -> bool:
    """Return whether a DER sequence is as long as it declares."""
    if len(blob) < 2 or blob[0] != 0x30:
        return False
    if blob[1] < 0x80:
        return len(blob) == 2 + blob[1]
    n_octets = blob[1] & 0x7F
    return len(blob) == 2 + n_octets + int.from_bytes(blob[2 : 2 + n_octets], "big")


PUTTY = "is in PuTTY's format (.ppk). Convert it with: puttygen KEY.ppk -O private-openssh -o KEY"


def wrong_token(token: str) -> str:
    """Return the error of a token, or "": it must contain no invisible character, and no space at its ends."""
    if wrong := wrong_ends(token):
        return wrong
    for at, character in enumerate(token, start=1):
        if character != " " and _is_invisible(character):
            return f"has a {_named(character)} as character {at}, which no token has. Copy it again"
    return ""


def wrong_ends(secret: str) -> str:
    """Return the error at the ends of a token or password, or ""."""
    for character, where in ((secret[:1], "begins"), (secret[-1:], "ends")):
        if character and _is_invisible(character):
            return f"{where} with a {_named(character)}, probably copied by mistake. Enter it without"
    return ""


def _is_invisible(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) in ("Cc", "Cf")


def _named(character: str) -> str:
    if character in "\r\n":
        return "line break"
    if character == " ":
        return "space"
    return "tab" if character == "\t" else f"character U+{ord(character):04X}"
