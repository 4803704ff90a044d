"""The tabs of a row's page: each is the same page with another `?tab=`, so that only one part is computed and sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from kiok.metadata.admin.read_only import ReadOnlyAdmin

PARAMETER = "tab"


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab's name and URL. `is_current` if it is shown."""

    name: str
    url: str
    is_current: bool


def chosen(request: HttpRequest, names: Mapping[str, str]) -> str:
    """Return the key of the requested tab; the first one if none or an unknown one is requested."""
    wanted = request.GET.get(PARAMETER, "")
    return wanted if wanted in names else next(iter(names))


def tabs(request: HttpRequest, names: Mapping[str, str], current: str) -> list[Tab]:
    """Return the tabs of the requested page. `names`: the names by key, in the order of the tabs."""
    first = next(iter(names))
    return [
        Tab(name, request.path if key == first else f"?{PARAMETER}={key}", key == current)
        for key, name in names.items()
    ]


class TabbedAdmin(ReadOnlyAdmin):
    """The admin pages of a table that only the service writes, with tabs on a row's page.

    The template of a tab is `kiok/<key>.html`. The tab "details" also shows the row's fields.
    """

    change_form_template = "admin/metadata/tabbed.html"

    def tab_names(self, user: Any) -> Mapping[str, str]:
        """Return the names of the tabs that the user may see, by key."""
        raise NotImplementedError

    def summary(self, obj: Any) -> list[tuple[str, str]]:
        """Return what every tab says about the row, as (label, value)."""
        raise NotImplementedError

    def tab_context(self, request: HttpRequest, obj: Any, tab: str) -> dict[str, Any]:
        """Return the variables of the template of a tab."""
        raise NotImplementedError

    def details(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        names = self.tab_names(request.user)
        tab = chosen(request, names)
        return {
            "tabs": tabs(request, names, tab),
            "tab": tab,
            "template_of_tab": f"kiok/{tab}.html",
            "summary": self.summary(obj),
            **self.tab_context(request, obj, tab),
        }
