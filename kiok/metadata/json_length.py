"""The length of a JSON array, computed in the database so that the array is not transferred."""

from __future__ import annotations

from django.db.models import Func, IntegerField


class JsonLength(Func):
    """The number of elements; NULL for NULL, and 0 for any other value, so that one bad row does not break a list."""

    # `strict` and `silent` (the last argument): a value that is not an array gives no elements and no error.
    template = "jsonb_array_length(jsonb_path_query_array(%(expressions)s, 'strict $[*]', '{}', true))"
    output_field = IntegerField()
    arity = 1
