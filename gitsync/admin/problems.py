"""Diagnostics with their location and the source lines at fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.template.loader import render_to_string

from compilers.excerpt import Excerpt
from gitsync.models import Repository, SourceFile
from gitsync.repositories import links
from kiok.errors import Diagnostic
from kiok.metadata.admin.display import NOTHING, shortened

# A message that exceeds either limit is folded behind its first line.
FOLDED_CHARACTERS = 400
FOLDED_LINES = 8
SUMMARY_CHARACTERS = 200


def first_problem(file: Any, *, with_path: bool = True) -> str:
    """Return `path:line:column: message (+2 more)` for a file of `located_files`."""
    if not file.problem:
        return NOTHING
    path = file.path if with_path else ""
    place = ":".join(part for part in (path, file.problem_line, file.problem_column) if part)
    more = f" (+{file.n_problems - 1} more)" if file.n_problems > 1 else ""
    return shortened(": ".join(filter(None, (place, f"{file.problem}{more}"))), 300)


def all_problems(file: SourceFile) -> str:
    """Return all diagnostics of a file as HTML, with source lines and the output of the file."""
    rows = rows_of(file.path, file.diagnostics, seen_at(file.repository, file.commit_sha))
    return render_to_string("gitsync/problems.html", {"problems": rows}) if rows else NOTHING


# From a path and a line to the URL of the file on its git service; "" if there is none.
UrlOf = Callable[[str, "int | None"], str]


def seen_at(repository: Repository, commit: str) -> UrlOf:
    """Return a function for the URLs of files at a commit."""
    return lambda path, line: links.file_url(repository, commit, path, line)


def rows_of(path: str, stored: object, url_of: UrlOf = lambda _path, _line: "") -> list[dict[str, Any]]:
    """Return the stored diagnostics of the file at `path` for problems.html, without malformed ones."""
    items = stored if isinstance(stored, list) else []
    return [
        _row(path, item, url_of)
        for item in items
        if isinstance(item, Mapping) and isinstance(item.get("message"), str)
    ]


def _row(path: str, stored: Mapping[str, Any], url_of: UrlOf) -> dict[str, Any]:
    item = Diagnostic.from_json(stored)
    place = (item.path or path, item.line, item.column)
    is_long = len(item.message) > FOLDED_CHARACTERS or item.message.count("\n") >= FOLDED_LINES
    excerpt = Excerpt.from_json(stored.get("excerpt"))
    return {
        "place": ":".join(str(part) for part in place if part is not None),
        "url": url_of(item.path or path, item.line),
        "dag": item.dag,
        "task": item.task,
        "key": item.key,
        "message": item.message,
        "summary": _summary(item.message) if is_long else "",
        "excerpt": _numbered(excerpt, item.line) if excerpt else (),
        "output": item.output,
    }


def _summary(message: str) -> str:
    return message.lstrip().partition("\n")[0][:SUMMARY_CHARACTERS] or "The message"


def _numbered(excerpt: Excerpt, at_fault: int | None) -> Sequence[tuple[bool, str]]:
    """Return (is at fault, numbered line) for each line. The line at fault is marked with `>` in the text too."""
    width = len(str(excerpt.first + len(excerpt.lines)))
    return [
        (number == at_fault, f"{'>' if number == at_fault else ' '} {number:>{width}} | {line}")
        for number, line in enumerate(excerpt.lines, excerpt.first)
    ]
