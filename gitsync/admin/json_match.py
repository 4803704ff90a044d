"""A text searched for in the messages of stored diagnostics, by the database."""

from __future__ import annotations

import json

from django.db.models import BooleanField, F, Func, Value


def message_contains(text: str) -> Func:
    """Whether any diagnostic's message of a file has `text`, in whatever case. `text` is taken literally.

    The pattern of `like_regex` can only be written into the path: as a string literal, whose escapes are JSON's
    (https://www.postgresql.org/docs/current/datatype-json.html#DATATYPE-JSONPATH).
    """
    path = f'$[*].message ? (@ like_regex {json.dumps(text, ensure_ascii=False)} flag "iq")'
    return Func(
        F("diagnostics"),
        Value(path),
        template="jsonb_path_exists(%(expressions)s::jsonpath, '{}', true)",
        output_field=BooleanField(),
    )
