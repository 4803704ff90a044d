"""Messages for invalid values: they are in the words of the API, and not in those of pydantic and Django."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from gitsync.api import service
from gitsync.api.patterns import MESSAGES
from gitsync.models import Repository
from tests.support.api_client import Api
from tests.support.api_problems import URL, errors

pytestmark = pytest.mark.django_db(transaction=True)

LIBRARY_WORDS = re.compile(
    r"This field|Input should|Value error|valid (string|integer|boolean|list)|permitted|Ensure|Field required|"
    r"instance with|match pattern|already exists"
)


def patterns(value: Any) -> Iterator[str]:
    """Return every pattern of the OpenAPI document."""
    if isinstance(value, dict):
        if isinstance(value.get("pattern"), str):
            yield value["pattern"]
        value = list(value.values())
    if isinstance(value, list):
        for below in value:
            yield from patterns(below)


def test_every_pattern_of_the_document_has_a_message() -> None:
    assert set(patterns(json.loads(json.dumps(service.described(), default=str)))) == set(MESSAGES)


@pytest.mark.parametrize(
    ("sent", "field", "message"),
    [
        ({"name": None}, "name", "Must be a string."),
        ({"url": ""}, "url", "Must not be empty."),
        ({"url": "x" * 2001}, "url", "Must have at most 2000 characters."),
        ({"url": "https://127.0.0.1/\x00"}, "url", "Must not contain the NUL character."),
        ({"ref": 5}, "ref", "Must be a string."),
        ({"verify": "maybe"}, "verify", "Must be one of: 'off', 'commit' or 'tag'."),
        ({"allowEmpty": "yes"}, "allowEmpty", "Must be true or false."),
        ({"intervalMs": 999}, "intervalMs", "Must be at least 1000."),
        ({"intervalMs": 2**31}, "intervalMs", "Must be at most 2147483647."),
        ({"intervalMs": 1000.5}, "intervalMs", "Must be an integer."),
        ({"groups": "a"}, "groups", "Must be a list."),
        ({"groups": [5]}, "groups.0", "Must be a string."),
        ({"groups": ["a"] * 101}, "groups", "Must have at most 100 entries."),
        ({"color": "red"}, "color", "Unknown key."),
        (
            {"credentialConnectionId": "none"},
            "credentialConnectionId",
            "No connection 'none', or you may not",
        ),
    ],
)
def test_an_invalid_value_has_a_message_of_the_api(
    sent: dict[str, Any], field: str, message: str, api: Api
) -> None:
    Repository.objects.create(name="there", url=URL)
    for method, path, body in (
        ("POST", "repositories", {"name": "new", "url": URL, **sent}),
        ("PATCH", "repositories/there", sent),
    ):
        answer = api(method, path, body)
        assert answer.status_code == 422, answer.content
        assert errors(answer)[field].startswith(message)
        assert not LIBRARY_WORDS.search(answer.content.decode())


@pytest.mark.parametrize(
    ("path", "field", "message"),
    [
        ("dags?limit=0", "limit", "Must be at least 1."),
        ("dags?limit=ten", "limit", "Must be an integer in decimal digits."),
        ("dags?stale=1", "stale", "Must be true or false."),
        ("dags?origin=svn", "origin", "Must be one of: 'git', 'manual' or 'bundle'."),
        ("dags?cursor=%20", "cursor", "Send the cursor of the previous page's `next` unchanged."),
        ("dags?color=red", "color", "Unknown parameter."),
        ("dag", "uid", "A value is required."),
        ("dag?uid=", "uid", "Must not be empty."),
        ("syncs?repository=Team", "repository", "Use 1 to 63 of the characters a-z"),
        ("syncs?correlationId=a%20b", "correlationId", "Use letters, digits"),
        ("sync-requests/a%20b", "id", "Send the `id` of the response to the request unchanged."),
    ],
)
def test_an_invalid_parameter_has_a_message_of_the_api(path: str, field: str, message: str, api: Api) -> None:
    answer = api.get(path)
    assert answer.status_code == 422, answer.content
    assert errors(answer)[field].startswith(message)
    assert not LIBRARY_WORDS.search(answer.content.decode())


def test_missing_keys_and_bodies_are_named(api: Api) -> None:
    assert errors(api("POST", "repositories", {})) == {
        "name": "A value is required.",
        "url": "A value is required.",
    }
    assert errors(api("POST", "repositories", [])) == {"": "Must be an object."}
    Repository.objects.create(name="there", url=URL)
    answer = api("POST", "repositories/there/accept-empty", {"commit": "abc"})
    assert errors(answer) == {
        "commit": "Must be a full commit id of 40 or 64 hexadecimal digits, in lower case."
    }
    answer = api("POST", "repositories/there/pause", {"reason": " "})
    assert errors(answer) == {"reason": "Must not be blank, and must not contain the NUL character."}
