"""Messages for invalid values, in the words of this API.

pydantic validates the form of a request, Django's models its meaning. Both say the same things in other words: this is
the only place that translates them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError

from gitsync.api.patterns import MESSAGES, NO_NUL

NAME_IS_TAKEN = "There is already a repository with this name. Choose another name."
# By the type of pydantic's error. The names in braces are those of its context.
_BY_TYPE: Mapping[str, str] = {
    "missing": "A value is required.",
    "extra_forbidden": "Unknown key.",
    "string_type": "Must be a string.",
    "string_unicode": "Must be valid Unicode text.",
    "string_too_short": "Must have at least {min_length} characters.",
    "string_too_long": "Must have at most {max_length} characters.",
    "int_type": "Must be an integer.",
    "int_parsing": "Must be an integer.",
    "int_from_float": "Must be an integer.",
    "int_parsing_size": "Must be an integer with fewer digits.",
    "bool_type": "Must be true or false.",
    "bool_parsing": "Must be true or false.",
    "list_type": "Must be a list.",
    "too_long": "Must have at most {max_length} entries.",
    "dict_type": "Must be an object.",
    "model_type": "Must be an object.",
    "model_attributes_type": "Must be an object.",
    "literal_error": "Must be one of: {expected}.",
    "greater_than_equal": "Must be at least {ge}.",
    "less_than_equal": "Must be at most {le}.",
}
# By the code of Django's error. The names in braces are those of its parameters.
_BY_CODE: Mapping[str, str] = {
    "blank": "Must not be empty.",
    "null": "Must not be null.",
    "unique": NAME_IS_TAKEN,
    "invalid_choice": "{value!r} is not one of the allowed values.",
    "max_length": "Must have at most {limit_value} characters.",
    "min_value": "Must be at least {limit_value}.",
    "max_value": "Must be at most {limit_value}.",
    "null_characters_not_allowed": MESSAGES[NO_NUL],
}


def of_pydantic(error: Mapping[str, Any]) -> str:
    """Return the message for an error of a request's form."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "string_pattern_mismatch":
        return MESSAGES[context["pattern"]]
    if kind == "string_too_short" and context["min_length"] == 1:
        return _BY_CODE["blank"]
    if kind in _BY_TYPE:
        return _BY_TYPE[kind].format(**context)
    return str(error["msg"]).removeprefix("Value error, ")


def of_django(error: ValidationError) -> str:
    """Return the message for an error of a model's field."""
    parameters = error.params or {}
    if error.code and error.code in _BY_CODE:
        return _BY_CODE[error.code].format(**parameters)
    if error.code == "invalid" and "model" in parameters:  # a foreign key
        return f"No {parameters['model']} {parameters['value']!r}, or you may not use it here."
    return " ".join(error.messages)
