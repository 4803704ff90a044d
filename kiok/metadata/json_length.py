"""The length of a JSON array, counted in the database so that the array need not leave it."""

from __future__ import annotations

from django.db.models import Func, IntegerField


class JsonLength(Func):
    """0 for what is no array: one odd row must not break a list. NULL for NULL."""

    # `strict` and `silent` (the last argument): no element of what is no array, and no error.
    template = "jsonb_array_length(jsonb_path_query_array(%(expressions)s, 'strict $[*]', '{}', true))"
    output_field = IntegerField()
    arity = 1
