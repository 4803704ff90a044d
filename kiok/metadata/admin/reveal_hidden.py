"""Characters that show nothing, or turn around what is beside them, made visible: code must read as it runs.

https://trojansource.codes/
"""

from __future__ import annotations

import re

# Control characters but tab and line feed; what turns the direction of writing; blanks of no width; Unicode's line ends.
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def visible(text: str) -> str:
    r"""The text with each of them as its escape, such as \u202e; `\r` before a line's end goes."""
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text.replace("\r\n", "\n"))
