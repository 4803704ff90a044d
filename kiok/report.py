"""How diagnostics are written for people and for GitHub."""

from __future__ import annotations

from kiok.errors import Diagnostic


def as_text(diagnostic: Diagnostic) -> str:
    """`path:line:column: DAG 'd', task 't', key 'k': message`, and what the file printed, if known."""
    output = f"\n  its output:\n{diagnostic.output}" if diagnostic.output else ""
    return f"{diagnostic}{output}"


def as_github(diagnostic: Diagnostic) -> str:
    """A workflow command that puts the problem on its line of the pull request.

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
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
