"""Every page of the admin, for rows of a repository and for rows that do not exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.contenttypes.models import ContentType
from django.contrib.messages import get_messages
from django.db.models import Model
from django.test import Client
from django.urls import URLPattern

from gitsync.models import QueuedSync, Repository
from kiok.connections.models import Connection
from kiok.metadata.models import Dag
from tests.support.access_rows import Rows

MISSING = 2_000_000_000
# A word that no row has.
NOBODY = "quetzal"
HEALTH = re.compile(r"<dt>Leader</dt>.*?</dl>", re.DOTALL)
CONNECTIONS = "connections/connection"
LEAVING = ("logout", "login", "password_change", "password_change_done")
FORM = {"post": "yes", "reason": "x", "fingerprint": "ssh-ed25519 SHA256:x", "full": "1"}
PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


def routes(patterns: Any = None, before: str = "/admin/") -> Iterator[tuple[str, str]]:
    """(address with its parameters, name) of every page."""
    for pattern in admin.site.urls[0] if patterns is None else patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield route, pattern.name or ""
        else:
            yield from routes(pattern.url_patterns, route)


def fill(route: str, rows: Rows, *, missing: bool = False) -> str:
    """The page's address for these rows; with `missing`, for rows that do not exist. Fails where it does not know how."""
    table = "/".join(route.split("/")[2:4])
    key = rows.keys.get(table)

    def value(match: re.Match[str]) -> str:
        parameter = match.group(1)
        if parameter in ("object_id", "id", "pk") and "content_type" not in route and key is not None:
            return absent(key) if missing else str(quote(key))
        known = {
            "name": NOBODY if missing else rows.word,
            "uid": f"{NOBODY}/x.yaml" if missing else str(rows.keys["metadata/dag"]),
            "content_type_id": str(ContentType.objects.get_for_model(Repository).pk),
            "object_id": str(MISSING if missing else rows.repository.pk) if "content_type" in route else None,
        }.get(parameter)
        if known is None:
            pytest.fail(f"a new address: {route}. Give access_rows.py a row for it, so that it is tested")
        return known

    filled = PARAMETER.sub(value, route)
    return filled.replace("(?P<url>.*)$", "nothing-here")


def absent(key: Any) -> str:
    return str(MISSING) if isinstance(key, int) else quote(f"{NOBODY}/x")


PLAIN = [
    route
    for route, name in routes()
    if not PARAMETER.search(route) and "(?P" not in route and name not in LEAVING
]
FILLED = [route for route, _ in routes() if PARAMETER.search(route.replace("(?P<", ""))]
LISTS = [route for route, name in routes() if name.endswith("_changelist")]


def model_of(route: str) -> type[Model]:
    app, name = route.split("/")[2:4]
    return next(
        model
        for model in admin.site._registry
        if (model._meta.app_label, model._meta.model_name) == (app, name)
    )


def told(answer: Any) -> str:
    """Everything that the answer tells: status, address, messages, body, without what is never the same."""
    messages = [str(message) for message in get_messages(answer.wsgi_request)]
    body = "" if answer.streaming else answer.content.decode()
    body = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", body)
    return "\n".join([str(answer.status_code), answer.headers.get("Location", ""), *messages, body])


def without(rows: Rows, text: str) -> str:
    """Return the text without the keys and words of the request, whether they exist or not."""
    keys = {form for key in rows.keys.values() for form in (quote(str(key)), str(key))}
    missing = {str(MISSING), f"{NOBODY}/x.yaml", f"{NOBODY}/x", quote(f"{NOBODY}/x"), NOBODY, "0" * 40}
    for name in sorted(keys | missing | {rows.word, rows.commit}, key=len, reverse=True):
        text = text.replace(name, "?")
    return text


def ask(client: Client, method: str, address: str) -> str:
    answer = client.get(address) if method == "get" else client.post(address, FORM)
    client.cookies.pop("messages", None)
    assert answer.status_code < 500, address
    return told(answer)


def state(rows: Rows) -> list[Any]:
    """Return what actions on a repository would change."""
    return [
        *Repository.objects.filter(pk=rows.repository.pk).values(),
        *rows.repository.groups.values_list("pk", flat=True),
        *Connection.objects.filter(pk=rows.keys[CONNECTIONS]).values(),
        *Dag.objects.filter(repository=rows.word).values(),
        QueuedSync.objects.count(),
    ]
