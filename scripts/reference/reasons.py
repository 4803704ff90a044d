"""Tables of docs/reference/reasons.md: each reason of the code with its meaning and its remedy."""

from __future__ import annotations

from collections.abc import Iterable

from gitsync.errors import SyncReason
from gitsync.git.errors import GitReason
from gitsync.remedies import REMEDIES
from kiok.connections.errors import ConnectionReason
from kiok.server import marked_text

from .text import markdown

# Phrases that link to a page.
LINKS = {
    "back-off": "../operate/polling.md#retries-after-a-failure",
    '"Test connection"': "../operate/repositories.md#test-connection",
    "Refs and folders": "../operate/refs.md",
    "special-purpose": "https://www.iana.org/assignments/iana-ipv6-special-registry",
    "team's own": "../operate/sandbox-images.md",
    "held": "../operate/pruning.md",
}

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


def _table(reasons: Iterable[Reason]) -> str:
    rows = [
        (f"`{reason.value}`", markdown(reason.meaning, LINKS), markdown(REMEDIES[reason], LINKS))
        for reason in reasons
    ]
    return marked_text.table(("reason", "meaning", "remedy"), rows)
