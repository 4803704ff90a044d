"""Actions on the selected DAGs of the list. Other apps add them, since the metadata store itself changes no DAG."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from kiok.metadata.models import Dag


@dataclass(frozen=True, slots=True)
class DagAction:
    """An action: its name in requests, its label, which users may use it, and the function that does it.

    `run` returns the response, or None to show the list again. The selection may be the whole list.
    """

    name: str
    label: str
    is_allowed: Callable[[Any], bool]
    run: Callable[[HttpRequest, QuerySet[Dag]], HttpResponse | None]


_actions: dict[str, DagAction] = {}


def offer(*actions: DagAction) -> None:
    """Add actions to the list of DAGs, in this order. The app that can do them calls this."""
    _actions.update({action.name: action for action in actions})


def offered_to(user: Any) -> dict[str, tuple[Callable[..., Any], str, str]]:
    """Return the actions that the user may use, by name, as Django's `ModelAdmin.get_actions` does."""
    return {
        name: (_as_django_calls_it(action), name, action.label)
        for name, action in _actions.items()
        if action.is_allowed(user)
    }


def _as_django_calls_it(action: DagAction) -> Callable[..., HttpResponse | None]:
    return lambda _admin, request, selected: action.run(request, selected)
