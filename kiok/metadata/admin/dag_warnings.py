"""The warnings about a DAG on its page."""

from __future__ import annotations

from typing import Any

from kiok.metadata.admin import display
from kiok.metadata.dag_warnings import DagWarning, warnings_of
from kiok.text import reveal_hidden

SHOWN = 20  # warnings on the page; the API returns all
SHOWN_CHARACTERS = 250


def shown(repository: str, spec: Any) -> dict[str, Any]:
    """Return `{"rows", "left_out"}`: the variables of `kiok/warnings.html`; empty if there are no warnings."""
    found = warnings_of(repository, spec)
    if not found:
        return {}
    return {"rows": [_row(item) for item in found[:SHOWN]], "left_out": max(0, len(found) - SHOWN)}


def _row(item: DagWarning) -> dict[str, str]:
    return {
        "subject": reveal_hidden(item.subject[:SHOWN_CHARACTERS]),
        "tasks": display.shortened(item.named_tasks(), 200),
        "message": item.message,
    }
