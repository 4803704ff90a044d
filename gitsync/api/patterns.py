"""Patterns of the texts in requests, each with the message for a text that does not match.

In pydantic's regex engine, `$` matches only the end of the text; in Python's, also before a final line break.
"""

from __future__ import annotations

from collections.abc import Mapping

NO_NUL = r"^[^\x00]*$"  # PostgreSQL cannot store NUL
NOT_BLANK = r"^[^\x00]*[^\x00\s][^\x00]*$"
REPOSITORY_NAME = r"^[a-z0-9][a-z0-9._-]{0,62}$"
CORRELATION_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
COMMIT = r"^([0-9a-f]{40}|[0-9a-f]{64})$"
CURSOR = r"^[A-Za-z0-9_-]+$"
OPERATION_TOKEN = r"^[A-Za-z0-9_.-]+$"  # noqa: S105  # a pattern

MESSAGES: Mapping[str, str] = {
    NO_NUL: "Must not contain the NUL character.",
    NOT_BLANK: "Must not be blank, and must not contain the NUL character.",
    REPOSITORY_NAME: "Use 1 to 63 of the characters a-z, 0-9, '.', '_' and '-'. The first must be a letter or digit.",
    CORRELATION_ID: "Use letters, digits, '.', '_' and '-'. The first must be a letter or digit.",
    COMMIT: "Must be a full commit id of 40 or 64 hexadecimal digits, in lower case.",
    CURSOR: "Send the cursor of the previous page's `next` unchanged.",
    OPERATION_TOKEN: "Send the `id` of the response to the request unchanged.",
}
