"""Every page of the admin, found from its own urls, so that a new one cannot be forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.db.models import Model
from django.urls import URLPattern, URLResolver, get_resolver, reverse

# What patterns call the key of a row of the admin that they belong to.
ROW_ARGUMENTS = ("object_id", "id", "pk", "repository_id")

# What other arguments are filled with.
OTHER_ARGUMENTS: dict[str, tuple[object, ...]] = {
    "app_label": ("gitsync", "metadata", "connections", "auth", "django_q"),
}

LEFT_OUT = {
    "logout": "ends the session",
    "view_on_site": "no model here has a page of another site",
}


def page(row: Model, action: str = "change") -> str:
    """Return the path of the page of `row` in the admin; `action` is the end of the path, such as `history`."""
    return f"/admin/{row._meta.app_label}/{row._meta.model_name}/{quote(row.pk)}/{action}/"


@dataclass(frozen=True, slots=True)
class Page:
    """`address` from the root; `name` of the pattern; `model` whose admin it is of, None for the site's own pages."""

    name: str
    address: str
    model: type[Model] | None = None

    @property
    def is_list(self) -> bool:
        return self.name.endswith("_changelist")


# The key of a row of this model to show; None where there is none.
KeyOf = Callable[[type[Model]], object]


def pages(key_of: KeyOf, given: Mapping[str, object]) -> Iterator[Page]:
    """The pages, each once; `given` are arguments by name. Raises AssertionError for a pattern that it cannot fill."""
    known = {**OTHER_ARGUMENTS, **{name: (value,) for name, value in given.items()}}
    [site] = [
        item
        for item in get_resolver().url_patterns
        if isinstance(item, URLResolver) and item.namespace == "admin"
    ]
    seen: set[str] = set()
    for pattern in _leaves(site):
        for page in _filled(pattern, key_of, known):
            if page.address not in seen:
                seen.add(page.address)
                yield page


def _leaves(resolver: URLResolver) -> Iterator[URLPattern]:
    for item in resolver.url_patterns:
        if isinstance(item, URLResolver):
            yield from _leaves(item)
        else:
            yield item


def _filled(pattern: URLPattern, key_of: KeyOf, known: Mapping[str, Sequence[object]]) -> Iterator[Page]:
    name = pattern.name
    model = model_of(pattern)
    arguments = [*pattern.pattern.regex.groupindex]
    if name in LEFT_OUT or arguments == ["url"]:  # the latter: the answer for what the admin does not know
        return
    if name is None:  # Django's old addresses of rows, which lead to the new ones
        assert arguments == ["object_id"], f"a page without a name: {pattern}"
        return
    if not arguments:
        yield Page(name, reverse(f"admin:{name}"), model)
        return
    assert len(arguments) == 1, f"{name}: say in {__name__} how to fill {arguments}"
    [argument] = arguments
    if argument in known:
        for value in known[argument]:
            yield Page(name, reverse(f"admin:{name}", args=[value]))
        return
    assert argument in ROW_ARGUMENTS, f"{name}: say in {__name__} how to fill {argument!r}"
    assert model is not None, f"{name}: say in {__name__} which model's key its {argument!r} is"
    key = key_of(model)
    if key is not None:
        yield Page(name, reverse(f"admin:{name}", args=[quote(key)]), model)  # type: ignore[arg-type]  # any key will do


def model_of(pattern: URLPattern) -> type[Model] | None:
    """The model whose admin the pattern is of, by its name `<app>_<model>_<what>`."""
    known: dict[str, Any] = {
        f"{model._meta.app_label}_{model._meta.model_name}": model for model in admin.site._registry
    }
    name = pattern.name or ""
    fitting = [start for start in known if name.startswith(f"{start}_")]
    return known[max(fitting, key=len)] if fitting else None
