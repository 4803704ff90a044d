"""Plain texts of the code as Markdown: names, commands, URLs and values in backticks, and phrases as links."""

from __future__ import annotations

import re
from collections.abc import Mapping

_CODE = re.compile(
    r"kiok(?:\.[a-z]+)+(?:\.\*)?"
    r"|manage\.py [a-z]+(?: --[a-z-]+(?: NAME)?)*|(?<!\S)--[a-z-]+(?: NAME)?"
    r"|git (?:fsck|commit --amend -S|tag -s)|openssl rand -base64 \d+|make images|scripts/[a-z]+\.sh"
    r"|(?:https|ssh)://[^\s,)]+|user@host:path|\$\{[^}]*\}|uploadpack\.\w+|\.kiokignore|\.gitkeep|(?<= )\.\.(?= )"
    r"|\*\.(?:py|jar)|(?:tag|semver|commit):[A-Z]+|docs/[a-z/.-]+\.md"
    r"|\b[a-z]+(?:_[a-z]+)+\b|\b[A-Z]+(?:_[A-Z]+)+\b|\b[a-z]+[A-Z]\w*|\bVOLUME\b"
)
_QUOTED = re.compile(r"(`[^`]*`|\]\([^)]*\))")  # code that is in backticks already, and addresses of links


def markdown(text: str, links: Mapping[str, str] | None = None) -> str:
    """Return a text with its code in backticks, and with the phrases of `links` as links to their addresses."""
    for phrase, address in (links or {}).items():
        text = re.sub(rf"(?<!\w){re.escape(phrase)}(?!\w)", f"[{phrase}]({address})", text)
    parts = _QUOTED.split(text)
    return "".join(part if _QUOTED.fullmatch(part) else _CODE.sub(r"`\g<0>`", part) for part in parts)
