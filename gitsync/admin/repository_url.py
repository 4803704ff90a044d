"""A repository's url on a page: never with a password, not even one that was just typed and refused."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.widgets import AdminTextInputWidget

from gitsync.git.errors import GitError
from gitsync.git.url import parse_url
from kiok.connections.redaction import redact

_ANY = frozenset({"https", "ssh", "http", "git", "file"})


def shown(url: str) -> str:
    """The url for people."""
    try:
        return parse_url(url, allow_protocols=_ANY).display
    except GitError:
        return redact(url)


class UrlInput(AdminTextInputWidget):
    """A text field that blanks credentials when the form comes back."""

    def format_value(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            parse_url(value, allow_protocols=_ANY)
        except GitError:
            return redact(value)
        return value
