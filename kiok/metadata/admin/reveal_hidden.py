"""Escapes for invisible and bidirectional characters, so that code reads as it runs.

https://trojansource.codes/
"""

from __future__ import annotations

import re

# Control characters except tab and line feed, bidirectional controls, zero-width characters, Unicode line separators.
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def visible(text: str) -> str:
    r"""Return the text with each of these characters as its escape, such as \u202e, and `\r\n` as a line feed."""
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text.replace("\r\n", "\n"))
