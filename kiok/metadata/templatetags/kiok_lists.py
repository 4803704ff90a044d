"""Template tags of the admin's lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django import template
from django.utils.safestring import SafeString

from kiok.metadata.admin.list_cells import labelled
from kiok.metadata.admin.list_controls import ListControls, controls_of

register = template.Library()


@register.filter
def labelled_cells(results: Iterable[Any], headers: Iterable[dict[str, Any]]) -> Iterator[list[SafeString]]:
    """Return the cells of each row of Django's tag `result_list`, with the labels of their columns."""
    return labelled(results, headers)


@register.filter
def list_controls(cl: Any) -> ListControls:
    """Return the filters of a list as controls of a form."""
    return controls_of(cl)
