"""Diagnostics, located and line by line."""

from __future__ import annotations

from typing import Any

from django.template.loader import render_to_string

from gitsync.models import SourceFile
from kiok.errors import Diagnostic
from kiok.metadata.admin.cells import NOTHING, shortened


def first_problem(file: Any) -> str:
    """`path:line:column: message (+2 more)` of a file as `located_files` brings it."""
    if not file.problem:
        return NOTHING
    place = ":".join(part for part in (file.path, file.problem_line, file.problem_column) if part)
    more = f" (+{file.n_problems - 1} more)" if file.n_problems > 1 else ""
    return shortened(f"{place}: {file.problem}{more}", 300)


def all_problems(file: SourceFile) -> str:
    """Every diagnostic of a file, with what the file printed."""
    diagnostics = [Diagnostic.from_json(item) for item in file.diagnostics]
    rows = [
        {
            "place": ":".join(
                str(part) for part in (item.path or file.path, item.line, item.column) if part is not None
            ),
            "dag": item.dag,
            "task": item.task,
            "key": item.key,
            "message": item.message,
            "output": item.output,
        }
        for item in diagnostics
    ]
    return render_to_string("gitsync/problems.html", {"problems": rows}) if rows else NOTHING
