"""The search in lists of rows that belong to repositories."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.text import smart_split, unescape_string_literal

from gitsync.models import Repository


class RepositoryRowSearch:
    """A mixin whose search also finds rows by the name of their repository. `search_fields` are lookups.

    Unlike Django's search it joins no table, which would compare the name of a repository once for each of its rows.
    """

    search_fields: ClassVar[tuple[str, ...]]

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002
        queryset: QuerySet[Any],
        search_term: str,
    ) -> tuple[QuerySet[Any], bool]:
        """Return the rows that contain every word, and False since no row is found twice."""
        for word in smart_split(search_term):
            is_quoted = word[0] in "\"'" and word[0] == word[-1]
            text = unescape_string_literal(word) if is_quoted else word
            found = Q(repository__in=Repository.objects.filter(name__icontains=text).values("pk"))
            for lookup in self.search_fields:
                found |= Q((lookup, text))
            queryset = queryset.filter(found)
        return queryset, False
