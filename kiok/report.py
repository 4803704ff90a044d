"""Text forms of diagnostics, for people and for GitHub."""

from __future__ import annotations

from kiok.errors import Diagnostic
from kiok.text import terminal_line, terminal_text


def as_text(diagnostic: Diagnostic) -> str:
    """Return `path:line:column: DAG 'd', task 't', key 'k': message`, and the file's output if it is known.

    Control characters are escaped: path, message and output may contain any text of the file's author.
    """
    output = f"\n  its output:\n{terminal_text(diagnostic.output)}" if diagnostic.output else ""
    return f"{terminal_text(str(diagnostic), indent='    ')}{output}"


def as_github(diagnostic: Diagnostic) -> str:
    """Return a workflow command that shows the problem at its line of the pull request.

    https://docs.github.com/actions/reference/workflow-commands-for-github-actions
    """
    properties = {
        "file": diagnostic.path,
        "line": diagnostic.line,
        "col": diagnostic.column,
        "title": f"DAG {diagnostic.dag}" if diagnostic.dag else None,
    }
    given = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items() if value)
    subject = ", ".join(
        f"{what} {value!r}"
        for what, value in (("task", diagnostic.task), ("key", diagnostic.key))
        if value is not None
    )
    message = f"{subject}: {diagnostic.message}" if subject else diagnostic.message
    return f"::error {given}::{_data(message)}"


def _data(text: str) -> str:
    # Line breaks are encoded as GitHub requires, other control characters are escaped for its log.
    lines = (
        "%0D".join(map(terminal_line, line.split("\r"))) for line in text.replace("%", "%25").split("\n")
    )
    return "%0A".join(lines)


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
