"""Rules for the owner and the tags of a DAG. The default owner of a repository has the same rule as that of a DAG."""

from __future__ import annotations

import re

from kiok.text import shown

MAX_OWNER = 200  # characters
MAX_TAGS = 20  # of one DAG
MAX_TAG = 63  # characters

_TAG = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._:/-]{{0,{MAX_TAG - 1}}}")
OWNER_RULE = f"1 to {MAX_OWNER} printable characters, without a space at the start or the end"
TAG_RULE = (
    f"1 to {MAX_TAG} characters: letters, digits, '.', '_', ':', '/' or '-', the first a letter or digit"
)


def owner_flaw(text: str) -> str | None:
    """Return why `text` cannot be an owner, with the rule; None if it can."""
    if 0 < len(text) <= MAX_OWNER and text.isprintable() and text == text.strip():
        return None
    length = f" of {len(text)} characters" if len(text) > MAX_OWNER else ""
    return f"{shown(text)}{length} is not an owner; allowed: {OWNER_RULE}"


def tag_flaw(text: str) -> str | None:
    """Return why `text` cannot be a tag, with the rule; None if it can."""
    return None if _TAG.fullmatch(text) else f"{shown(text)} is not a tag; allowed: {TAG_RULE}"
