"""Write the generated tables of docs/reference.

reference_tables.py            writes the tables
reference_tables.py --check    exits with status 1 if a table is out of date
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import django

from kiok.server import marked_text
from kiok.server.management.commands import properties

REFERENCE = Path(__file__).resolve().parents[1] / "docs" / "reference"


def metrics_table() -> str:
    """Return every metric with its type, labels and help text, as a Markdown table. Django must be set up."""
    from gitsync.monitoring.metrics import METRICS  # imports models

    rows = [
        (f"`{metric.name}`", metric.kind, ", ".join(f"`{label}`" for label in metric.labels), metric.meaning)
        for metric in METRICS
    ]
    return marked_text.table(("metric", "type", "labels", "help"), rows)


def pages() -> dict[str, dict[str, str]]:
    """Return the tables of each page, by the names of their markers. Django must be set up."""
    from reference import api, commands, reasons  # import models

    return {
        "properties": {"properties": properties.markdown_table()},
        "metrics": {"metrics": metrics_table()},
        "reasons": reasons.tables(),
        "cli": commands.tables(),
        "api": api.tables(),
    }


def main() -> int:
    if sys.argv[1:] not in ([], ["--check"]):
        sys.stderr.write(f"usage: {Path(__file__).name} [--check]\n")
        return 2
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kiok.server.settings")
    django.setup()
    status = 0
    for page, tables in pages().items():
        path = REFERENCE / f"{page}.md"
        for name, table in tables.items():
            if not sys.argv[1:]:
                marked_text.write(path, name, table)
            elif not marked_text.is_current(path, name, table):
                sys.stderr.write(
                    f"docs/reference/{path.name}: {name} out of date: run scripts/reference_tables.py\n"
                )
                status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
