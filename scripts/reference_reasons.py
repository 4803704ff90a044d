"""Tables of docs/reference/reasons.md: each reason of the code with its meaning and its remedy."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gitsync.errors import SyncReason
from gitsync.git.errors import GitReason
from gitsync.remedies import REMEDIES
from kiok.connections.errors import ConnectionReason
from kiok.server import marked_text

# Names, commands, URLs and values that the texts contain without quotes.
CODE = re.compile(
    r"kiok(?:\.[a-z]+)+(?:\.\*)?"
    r"|manage\.py [a-z]+(?: --[a-z-]+(?: NAME)?)*"
    r"|git (?:fsck|commit --amend -S|tag -s)|openssl rand -base64 \d+|make images|scripts/[a-z]+\.sh"
    r"|(?:https|ssh)://[^\s,)]+|user@host:path|\$\{[^}]*\}|uploadpack\.\w+|\.kiokignore|\.gitkeep|(?<= )\.\.(?= )"
    r"|\b[a-z]+(?:_[a-z]+)+\b|\b[A-Z]+(?:_[A-Z]+)+\b|\b[a-z]+[A-Z]\w*|\bVOLUME\b"
)
# Phrases that link to a page.
LINKS = {
    "back-off": "../operate/polling.md#retries-after-a-failure",
    '"Test connection"': "../operate/repositories.md#test-connection",
    "Refs and folders": "../operate/refs.md",
    "special-purpose": "https://www.iana.org/assignments/iana-ipv6-special-registry",
    "team's own": "../operate/sandbox-images.md",
    "held": "../operate/pruning.md",
}
_LINKED = re.compile("|".join(rf"(?<!\w){re.escape(phrase)}(?!\w)" for phrase in LINKS))

Reason = GitReason | SyncReason | ConnectionReason


def tables() -> dict[str, str]:
    """Return the table of each section, by the name of its markers."""
    # `busy` is a reason of both; one row explains it.
    of_syncs = [reason for reason in SyncReason if reason.value not in {known.value for known in GitReason}]
    return {
        "transient git failures": _table(reason for reason in GitReason if reason.transient),
        "permanent git failures": _table(reason for reason in GitReason if not reason.transient),
        "transient sync failures": _table(reason for reason in of_syncs if reason.transient),
        "permanent sync failures": _table(reason for reason in of_syncs if not reason.transient),
        "connection errors": _table(ConnectionReason),
    }


def markdown(text: str) -> str:
    """Return a text with its code in backticks and its links."""
    linked = _LINKED.sub(lambda found: f"[{found[0]}]({LINKS[found[0]]})", text)
    parts = re.split(r"(\]\([^)]*\))", linked)  # a link's address stays as it is
    return "".join(part if part.startswith("](") else CODE.sub(r"`\g<0>`", part) for part in parts)


def _table(reasons: Iterable[Reason]) -> str:
    rows = [(f"`{reason.value}`", markdown(reason.meaning), markdown(REMEDIES[reason])) for reason in reasons]
    return marked_text.table(("reason", "meaning", "remedy"), rows)
