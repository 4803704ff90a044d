"""Every operation of the OpenAPI document has examples, and each is valid under its schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from gitsync.api import examples, service

DOCUMENT: dict[str, Any] = json.loads(json.dumps(service.described(), default=str))
OPERATIONS = {
    f"{method.upper()} {path}": described
    for path, methods in DOCUMENT["paths"].items()
    for method, described in methods.items()
}


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema with the definitions that it refers to."""
    return {**schema, "components": DOCUMENT["components"]}


def is_valid(example: Any, schema: dict[str, Any]) -> bool:
    validator = jsonschema_rs.Draft202012Validator(resolved(schema), validate_formats=True)
    return validator.is_valid(example)


def contents(described: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Return the body of the request, if there is one, and the bodies of all responses of success."""
    if "requestBody" in described:
        yield described["requestBody"]["content"]["application/json"]
    answers = [answer for status, answer in described["responses"].items() if int(status) < 400]
    assert answers
    for answer in answers:
        yield answer["content"]["application/json"]


def undocumented(example: Any, schema: dict[str, Any]) -> set[str]:
    """Return the keys of an example that its schema does not have, at any depth."""
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        schema = next((choice for choice in schema["anyOf"] if choice.get("type") != "null"), {})
        return undocumented(example, schema) if example is not None else set()
    if isinstance(example, list) and "items" in schema:
        return {key for item in example for key in undocumented(item, schema["items"])}
    if not isinstance(example, dict) or "properties" not in schema:
        return set()
    found = example.keys() - schema["properties"].keys()
    for key in example.keys() & schema["properties"].keys():
        found |= undocumented(example[key], schema["properties"][key])
    return found


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_has_valid_examples(name: str) -> None:
    described = OPERATIONS[name]
    for content in contents(described):
        assert is_valid(content["example"], content["schema"]), content["schema"]
        assert undocumented(content["example"], content["schema"]) == set()
    for parameter in described["parameters"]:
        if parameter["required"]:
            values = [item["value"] for item in parameter.get("examples", {}).values()]
            for value in values or [parameter["example"]]:
                assert is_valid(value, parameter["schema"]), parameter["name"]


def test_no_example_is_of_a_schema_that_does_not_exist() -> None:
    assert {*examples.REQUESTS, *examples.RESPONSES} <= DOCUMENT["components"]["schemas"].keys()


def test_the_check_of_examples_finds_mistakes() -> None:
    content = next(contents(OPERATIONS["GET /api/v1/runs/{id}"]))
    run = content["example"]
    for wrong in ({**run, "state": "DONE"}, {**run, "createdAt": "today"}, {**run, "id": "5"}, {}):
        assert not is_valid(wrong, content["schema"]), wrong
    task = {**run["tasks"][0], "color": "red"}
    assert undocumented({**run, "shape": 1, "tasks": [task]}, content["schema"]) == {"shape", "color"}
