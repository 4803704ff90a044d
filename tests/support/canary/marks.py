"""Secrets that can be found again in any encoding, whole or cut.

A made secret begins and ends with the run's mark, letters and digits alone, so that percent, JSON, HTML or Python
escapes leave it as it is: what remains to be looked for is the mark itself, in base64 at its three offsets,
hexadecimal, percent-encoded throughout. Between the marks stand the characters that encoders treat differently.
A private key takes no mark: it is found by pieces of its body.
"""

from __future__ import annotations

import base64
import html
import json
import os
import re
import secrets
import string
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

ODD = "ñ/+ %&<\"'\\=:@"
# 24 characters every 32: what is longer than 55 holds one whole, wherever lines are broken.
_PIECE, _STEP = 24, 32
_SHORTEST_LINE = 16
_SHOWN_BYTES = 60
# What the bodies of all ed25519 keys, and all public ones, hold.
_COMMON = "AAAAEAAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAI", "AAAAMwAAAAtzc2gtZWQyNTUxOQAAACD"
_MOST_IN_COMMON = 15
_COMMON_END = 40  # comment and padding
_ALPHABET = string.ascii_letters + string.digits


def _wrapped(text: str, width: int) -> str:
    return "\n".join(text[start : start + width] for start in range(0, len(text), width))


def _body(key: str) -> str:
    return "".join(line for line in key.splitlines() if not line.startswith("-----"))


def _after(before: str) -> Callable[[str], str]:
    return lambda secret: base64.b64encode((before + secret).encode()).decode()


ENCODINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "percent-encoded": lambda secret: quote(secret, safe=""),
    "percent-encoded, lower case": lambda secret: re.sub(
        "%..", lambda m: m[0].lower(), quote(secret, safe="")
    ),
    "percent-encoded, slashes kept": quote,
    "form-encoded": quote_plus,
    "percent-encoded throughout": lambda secret: "".join(f"%{byte:02X}" for byte in secret.encode()),
    "base64": _after(""),
    "base64 after one byte": _after("u"),
    "base64 after two bytes": _after("u:"),
    "base64 of user:secret": _after("robot:"),
    "base64 of token login": _after("x-access-token:"),
    "base64 for urls": lambda secret: base64.urlsafe_b64encode(secret.encode()).decode(),
    "base64 in lines": lambda secret: base64.encodebytes(secret.encode()).decode(),
    "hexadecimal": lambda secret: secret.encode().hex(),
    "hexadecimal, upper case": lambda secret: secret.encode().hex().upper(),
    "JSON": json.dumps,
    "JSON, not ASCII": lambda secret: json.dumps(secret, ensure_ascii=False),
    "HTML": html.escape,
    "Python": repr,
    "Python bytes": lambda secret: repr(secret.encode()),
    "the first half": lambda secret: secret[: len(secret) // 2],
    "the second half": lambda secret: secret[len(secret) // 2 :],
}
KEY_ENCODINGS: dict[str, Callable[[str], str]] = {
    "the body in one line": _body,
    "the body in lines of 64": lambda key: _wrapped(_body(key), 64),
    "the body in lines of 76": lambda key: _wrapped(_body(key), 76).replace("\n", "\r\n"),
    "the body in lines, JSON": lambda key: json.dumps(_wrapped(_body(key), 70)),
    "the lines in reverse order": lambda key: "\n".join(reversed(key.splitlines())),
    "the file in base64": lambda key: base64.encodebytes(key.encode()).decode(),
    "the file in base64, JSON": lambda key: json.dumps(base64.encodebytes(key.encode()).decode()),
    "the file in hexadecimal": lambda key: key.encode().hex(),
    "the file percent-encoded": lambda key: quote(key, safe=""),
    "the last line": lambda key: key_lines(key)[-1],
}


def key_lines(key: str) -> list[str]:
    """The lines of a key's body that tell something: the first holds what all keys of its kind begin with."""
    lines = [line for line in key.splitlines() if not line.startswith("-----")][1:]
    return [line for line in lines if len(line) >= _SHORTEST_LINE]


@dataclass
class Marks:
    """The secrets of a run. `mark` is new for each run, so that nothing else on the machine holds it."""

    mark: str = field(default_factory=lambda: "".join(secrets.choice(_ALPHABET) for _ in range(24)))
    keys: list[str] = field(default_factory=list)
    _needles: list[bytes] = field(default_factory=list)
    _made_for: int = -1

    def secret(self, name: str) -> str:
        """A new secret; `name`, letters and digits, tells which it is where one is found."""
        return f"{self.mark}.{name}{ODD}{self.mark}"

    def add_key(self, key: str) -> str:
        """Have a private key found too; returns it."""
        self.keys.append(key)
        return key

    def needles(self) -> list[bytes]:
        """Return the texts to search for: each form of a secret contains one of these."""
        if self._made_for == len(self.keys):
            return self._needles
        half = len(self.mark) // 2
        # Of a mark that was cut in two at least one half is whole.
        found = {form for text in (self.mark[:half], self.mark[half:]) for form in _forms(text.encode())}
        for key in self.keys:
            body = "".join(key_lines(key))[:-_COMMON_END]
            pieces = [body[start : start + _PIECE] for start in range(0, len(body) - _PIECE + 1, _STEP)]
            # Each line alone, also a short one.
            begins = [(line[:_PIECE], line[-_PIECE:]) for line in key_lines(key)]
            pieces += [end if _is_common(begin) else begin for begin, end in begins]
            telling = [piece for piece in pieces if not _is_common(piece)]
            found.update(piece.encode() for piece in telling)
            found.update(quote(piece, safe="").encode() for piece in telling)
            # Encoded is the file as a whole, so one piece of it is enough, out of the middle of a line.
            middle = key_lines(key)[1]
            found.update(_forms(middle[_PIECE : 2 * _PIECE].encode()))
        self._needles = sorted(found)
        self._made_for = len(self.keys)
        return self._needles

    def found_among(self, contents: Mapping[str, bytes]) -> dict[str, list[str]]:
        """Return the places of secrets by the name of the content that holds them.

        grep reads all contents in one pass, in a tenth of the time that `found_in` takes for each: only if it finds
        something are the places looked for.
        """
        patterns = b"\n".join(self.needles())
        grep = ["grep", "--text", "--count", "--fixed-strings", "-e", patterns]
        with subprocess.Popen(
            grep, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "LC_ALL": "C"}
        ) as search:
            assert search.stdin is not None
            assert search.stdout is not None
            for content in contents.values():
                for read in _READINGS:
                    search.stdin.write(read(content) + b"\n")
            search.stdin.close()
            lines = int(search.stdout.read())
        assert search.returncode == (0 if lines else 1)
        if not lines:
            return {}
        return {name: places for name, content in contents.items() if (places := self.found_in(content))}

    def found_in(self, content: bytes) -> list[str]:
        """Return at most five places of a secret in the content, each with the text around it."""
        places = []
        needles = self.needles()
        for read in _READINGS:
            text = read(content)
            for needle in needles:
                at = text.find(needle)
                if at >= 0:
                    places.append(repr(text[max(0, at - _SHOWN_BYTES) : at + len(needle) + _SHOWN_BYTES]))
            if places:
                break
        return places[:5]


def _without_line_breaks(content: bytes) -> bytes:
    """Without those as they are, and those as JSON and Python write them, twice over too."""
    content = content.translate(None, b" \t\r\n")
    for escaped in (rb"\\r", rb"\\n", rb"\r", rb"\n"):
        content = content.replace(escaped, b"")
    return content


# Base64 and keys may be broken into lines, escaped or not.
_READINGS: tuple[Callable[[bytes], bytes], ...] = (bytes, _without_line_breaks)


def _is_common(piece: str) -> bool:
    length = _MOST_IN_COMMON + 1
    return any(piece[at : at + length] in text for text in _COMMON for at in range(len(piece) - length + 1))


def _forms(text: bytes) -> Iterable[bytes]:
    yield text
    yield from (text.hex().encode(), text.hex().upper().encode())
    every = "".join(f"%{byte:02X}" for byte in text).encode()
    yield from (every, every.lower())
    for offset in range(3):
        padded = b"\0" * offset + text
        start, end = -(-offset * 8 // 6), len(padded) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(padded)[start:end]
