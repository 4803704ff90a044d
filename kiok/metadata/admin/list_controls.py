"""The filters of a list as controls of one form, so that the URL of a filtered list can be shared.

Django renders filters as links. Each is turned into a selection here, whose options are the links' values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from django.contrib.admin.views.main import ALL_VAR, ORDER_VAR, SEARCH_VAR
from django.utils.text import capfirst

FACETS_VAR = "_facets"  # Django's parameter for counts next to the filters, which a selection does not show


@dataclass(frozen=True, slots=True)
class ListControl:
    """A control of the form: a selection of `options` as (value, label), or a text field without options."""

    name: str
    label: str
    value: str
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ListControls:
    """The controls of a list, the other parameters of its URL, and whether any of them narrows the list."""

    filters: tuple[ListControl, ...]
    hidden: tuple[tuple[str, str], ...]
    is_narrowed: bool


def controls_of(cl: Any) -> ListControls:
    """Return the controls of the list's filters."""
    filters = tuple(control for spec in cl.filter_specs for control in [_control(cl, spec)] if control)
    own = {SEARCH_VAR, ALL_VAR, FACETS_VAR, *(control.name for control in filters)}
    hidden = tuple((name, value) for name, value in cl.params.items() if name not in own)
    narrowing = {name for name, value in cl.params.items() if value} - {ORDER_VAR, ALL_VAR, FACETS_VAR}
    return ListControls(filters, hidden, bool(narrowing))


def _control(cl: Any, spec: Any) -> ListControl | None:
    """Return the control of a filter, which the filter's method `control` may choose; None if it has one choice at most."""
    own: ListControl | None = spec.control() if hasattr(spec, "control") else None
    if own is not None:
        return own
    expected = [name for name in spec.expected_parameters() if name]
    options: dict[str, str] = {}
    chosen = ""
    name = expected[0] if expected else ""
    for choice in spec.choices(cl):
        given = dict(parse_qsl(str(choice["query_string"]).removeprefix("?"), keep_blank_values=True))
        values = {parameter: given[parameter] for parameter in expected if parameter in given}
        if values.keys() - {name}:
            continue  # "Empty" has a parameter of its own, which a selection of values cannot send
        options[values.get(name, "")] = str(choice["display"])
        if choice["selected"]:
            chosen = values.get(name, "")
    if len(options) < 2:
        return None
    return ListControl(name, capfirst(str(spec.title)), chosen, tuple(options.items()))
