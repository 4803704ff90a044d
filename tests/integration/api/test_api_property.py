"""The API held to its own document by schemathesis: each operation, sensible and senseless requests, every check."""

from __future__ import annotations

import copy
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import schemathesis
from django.contrib.auth.models import User
from django.core.wsgi import get_wsgi_application
from django.db import connections
from schemathesis import engine
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events
from schemathesis.transport.wsgi import WSGITransport

from gitsync.api import operations, service
from gitsync.models import SyncRun
from kiok.connections.models import Connection
from kiok.metadata.models import DagRun
from kiok.notifications.models import NotificationChannel
from tests.support.api_client import make_channel, make_everything, make_token

pytestmark = pytest.mark.django_db(transaction=True)

CONFIGURES = "/api/v1/repositories"
# Every check and every phase, as schemathesis has them, but for this. The budget is a number of examples,
# never a time: so many as take an idle machine a minute.
CONFIG: dict[str, Any] = {
    "base-url": "http://127.0.0.1",
    "seed": 20,
    "continue-on-failure": True,
    "suppress-health-check": ["too_slow"],
    "generation": {"max-examples": 15, "database": "none"},
    "phases": {"stateful": {"max-steps": 6, "generation": {"max-examples": 5}}},
    "operations": [
        {
            # The schema does not express all rules of a url, a ref or a group: the response 422 reports the others.
            "include-path": [CONFIGURES, CONFIGURES + "/{name}"],
            "checks": {
                "positive_data_acceptance": {
                    "expected-statuses": ["2xx", "3xx", "401", "403", "404", "409", "422", "429", "5xx"]
                }
            },
        }
    ],
}


def documented() -> Any:
    """Return the OpenAPI document with values for the names of rows: existing ones, and one that does not exist."""
    document: dict[str, Any] = copy.deepcopy(service.described())
    names = ["team", "other", "made", "nobody"]
    for schema in (
        "RepositoryConfiguration",
        "RepositoryChange",
    ):  # whatever is made or renamed is one of these
        document["components"]["schemas"][schema]["properties"]["name"]["enum"] = names
    there = {
        "name": names,
        "uid": ["team/mark.yaml", "team/mark.py::d", "nobody/a.yaml"],
        "path": ["mark.py", "mark.yaml", "none.py"],
    }
    ids = {
        "/api/v1/syncs/{id}": [*SyncRun.objects.values_list("pk", flat=True), 2**62],
        "/api/v1/runs/{id}": [*DagRun.objects.values_list("pk", flat=True), 2**62],
        "/api/v1/notification-channels/{id}": [
            *NotificationChannel.objects.values_list("pk", flat=True),
            2**62,
        ],
        "/api/v1/connections/{id}": ["team-git", "none"],
    }
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            for parameter in described["parameters"]:
                named = there.get(parameter["name"]) if parameter["required"] else None
                values = named or (ids.get(path) if parameter["name"] == "id" else None)
                if method == "delete":
                    values = ["doomed", "nobody"]  # the others are needed
                if values:
                    parameter["schema"]["enum"] = values
    return document


def at_once(look: Callable[[], Any], _is_done: Any, _seconds: float) -> Any:
    return look()


@pytest.fixture
def app(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """The service in this process, its requests in one thread: one connection to the database, closed in the end."""
    django = get_wsgi_application()
    send = WSGITransport.send

    def send_without_what_only_sockets_have(self: Any, case: Any, **options: Any) -> Any:
        for name in ("max_redirects", "verify", "cert", "proxies"):
            options.pop(name, None)
        return send(self, case, **options)

    monkeypatch.setattr(WSGITransport, "send", send_without_what_only_sockets_have)
    with ThreadPoolExecutor(max_workers=1) as thread:
        yield lambda environ, start: thread.submit(django, environ, start).result()
        thread.submit(connections.close_all).result()


@pytest.mark.timeout(3600)
def test_no_request_whatsoever_makes_the_api_break_its_own_document(
    app: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_channel(make_everything("team", "a", mark="mark"), "mark")
    Connection.objects.create(id="team-git", type="git")
    make_everything("other", mark="other")
    make_everything("doomed", mark="doomed")
    token, _ = make_token(User.objects.create_superuser("ada", password="x"))
    monkeypatch.setattr(operations, "until", at_once)  # there is no worker to wait for
    monkeypatch.setattr(logging.getLogger("django.request"), "disabled", True)
    config = SchemathesisConfig.from_dict({**CONFIG, "headers": {"Authorization": f"Bearer {token}"}})
    schema = schemathesis.openapi.from_dict(documented(), config=config)
    schema.app = app

    found: set[str] = set()
    statuses: dict[str, Counter[int]] = {}
    for event in engine.from_schema(schema).execute():
        if isinstance(event, events.NonFatalError):
            found.add(repr(event.value))
        if isinstance(event, events.FatalError):
            raise event.exception
        if isinstance(event, events.ScenarioFinished):
            answers = [seen.response for seen in event.recorder.interactions.values()]
            counted = statuses.setdefault(event.phase.value, Counter())
            counted.update(answer.status_code for answer in answers if answer)
            found |= {
                f"{event.label}: {check.failure_info.failure}\n{check.failure_info.code_sample}"
                for checks in event.recorder.checks.values()
                for check in checks
                if check.failure_info
            }

    assert not found, f"{len(found)} failures\n" + "\n\n".join(sorted(found)[:20])
    assert {200, 202, 401, 404, 405, 422} <= set(statuses["coverage"]), statuses
    assert statuses["fuzzing"][200] >= 50, statuses
    assert statuses["stateful"][200] >= 1, statuses
