"""The URL field of a repository. It never shows a password, not even one that was just entered and rejected."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.widgets import AdminTextInputWidget

from gitsync.git.errors import GitError
from gitsync.git.url import ANY_PROTOCOL, parse_url
from kiok.connections.redaction import redact


class UrlInput(AdminTextInputWidget):
    """A text field that redacts credentials when the form is shown again."""

    def format_value(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            parse_url(value, allow_protocols=ANY_PROTOCOL)
        except GitError:
            return redact(value)
        return value
