"""Tables of docs/reference/api.md: the operations of the API with their fields, from the OpenAPI document."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from gitsync.api.service import described
from kiok.server import marked_text

from .text import markdown

PREFIX = "/api/v1"
WIDTH = 100
MAX_INT32 = 2**31 - 1
_NEEDS = re.compile(
    r"\n*Requires (?:the scope `(\w+)`)?(?: and )?(?:the permission (`[\w.]+`(?: or `[\w.]+`)*))?\.$"
)

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Operation:
    """A method of a path, with its part of the OpenAPI document."""

    method: str
    path: str
    described: Json

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @cached_property
    def needs(self) -> tuple[str, str]:
        """The required scope and permission; "" if none is required."""
        found = _NEEDS.search(self.described["description"])
        return (found[1], found[2]) if found else ("", "")

    @property
    def text(self) -> str:
        """The description without the scope and the permission."""
        return _NEEDS.sub("", self.described["description"])

    @property
    def body(self) -> str:
        """The name of the body's schema; "" without a body."""
        return _schema_name(self.described.get("requestBody", {}))

    @property
    def results(self) -> dict[str, str]:
        """The name of the response's schema by the status of success."""
        responses = self.described["responses"]
        return {status: _schema_name(responses[status]) for status in responses if int(status) < 400}

    @property
    def errors(self) -> dict[str, str]:
        """The meaning of each status of an error."""
        responses = self.described["responses"]
        return {status: responses[status]["description"] for status in responses if int(status) >= 400}


@dataclass(frozen=True)
class Field:
    """A parameter or a key of a body. `place` is path, query or body."""

    name: str
    place: str
    is_required: bool
    schema: Json
    text: str

    def row(self) -> tuple[str, ...]:
        """Return the row of the field in a table: name, place, type, default, meaning."""
        value = self.schema.get("default")
        default = "required" if self.is_required else "" if value is None else f"`{json.dumps(value)}`"
        return (f"`{self.name}`", self.place, type_of(self.schema), default, markdown(self.text))


def tables() -> dict[str, str]:
    """Return the list of operations, a section for each operation and for each body, and the statuses of errors."""
    document = _document()
    found = list(operations(document))
    bodies = dict.fromkeys(operation.body for operation in found if operation.body)
    return {
        "operations": marked_text.table(("operation", "purpose", "scope", "permission"), map(_row, found)),
        "fields": "\n\n".join(map(_section, found)),
        "bodies": "\n\n".join(
            _body_section(name, document["components"]["schemas"][name]) for name in bodies
        ),
        "errors": _errors(found),
    }


def operations(document: Json) -> Iterator[Operation]:
    """Return the operations of the OpenAPI document in its order."""
    for path, methods in document["paths"].items():
        for method, described_ in methods.items():
            yield Operation(method.upper(), path.removeprefix(PREFIX), described_)


def fields() -> Iterator[tuple[str, Field]]:
    """Return every parameter of an operation and every key of a body, with the name of the operation or body."""
    document = _document()
    for operation in operations(document):
        for field in _parameters(operation):
            yield operation.name, field
        if operation.body:
            for field in _keys(document["components"]["schemas"][operation.body]):
                yield operation.body, field


def type_of(schema: Json) -> str:
    """Return the type of a value with its limits, or the allowed values."""
    if "anyOf" in schema:
        return "; or ".join(type_of(choice) for choice in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema["type"] == "array":
        most = f"at most {schema['maxItems']} of: " if "maxItems" in schema else ""
        return f"list, {most}{type_of(schema['items'])}"
    return ", ".join(part for part in (schema["type"], _limits(schema)) if part)


def _limits(schema: Json) -> str:
    if schema["type"] == "integer" and "minimum" in schema:
        low, high = schema["minimum"], schema["maximum"]
        return f"{low} to {high}" if high < MAX_INT32 else f"at least {low}"
    if "maxLength" in schema:
        low, high = schema.get("minLength"), schema["maxLength"]
        return f"{low} to {high} characters" if low else f"at most {high} characters"
    return ""


def _document() -> Json:
    document: Json = json.loads(json.dumps(described(), default=str))
    return document


def _schema_name(described_: Json) -> str:
    """Return the name of the schema of a request's or a response's JSON; "" without one."""
    schema = described_.get("content", {}).get("application/json", {}).get("schema", {})
    reference = schema.get("$ref") or next((part["$ref"] for part in schema.get("allOf", ())), "")
    return str(reference).rpartition("/")[2]


def _parameters(operation: Operation) -> list[Field]:
    return [
        Field(item["name"], item["in"], item["required"], item["schema"], item.get("description", ""))
        for item in operation.described["parameters"]
    ]


def _keys(schema: Json) -> list[Field]:
    required = schema.get("required", ())
    return [
        Field(key, "body", key in required, value, value.get("description", ""))
        for key, value in schema["properties"].items()
    ]


def _row(operation: Operation) -> tuple[str, ...]:
    scope, permission = operation.needs
    link = f"[`{operation.name}`](#{_anchor(operation.name)})"
    return (link, operation.described["summary"], f"`{scope}`" if scope else "", permission)


def _section(operation: Operation) -> str:
    parts = [f"### `{operation.name}`"]
    parts += [_wrapped(markdown(paragraph)) for paragraph in operation.text.split("\n\n")]
    if parameters := _parameters(operation):
        rows = [field.row() for field in parameters]
        parts.append(marked_text.table(("field", "in", "type", "default", "meaning"), rows))
    body = ""
    if operation.body:
        optional = "" if operation.described["requestBody"]["required"] else ", optional"
        body = f"Body{optional}: [`{operation.body}`](#{_anchor(operation.body)}). "
    results = ", ".join(f"{status} `{name}`" for status, name in operation.results.items())
    parts.append(_wrapped(f"{body}Response: {results}."))
    return "\n\n".join(parts)


def _body_section(name: str, schema: Json) -> str:
    rows = [(field, *rest) for field, _, *rest in (key.row() for key in _keys(schema))]
    table = marked_text.table(("field", "type", "default", "meaning"), rows)
    return "\n\n".join((f"### `{name}`", _wrapped(markdown(schema["description"])), table))


def _errors(found: list[Operation]) -> str:
    meanings = {status: meaning for operation in found for status, meaning in operation.errors.items()}
    rows = []
    for status, meaning in sorted(meanings.items()):
        methods = {operation.method for operation in found if status in operation.errors}
        rows.append((status, markdown(meaning), "all" if "GET" in methods else ", ".join(sorted(methods))))
    return marked_text.table(("status", "meaning", "methods"), rows)


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_on_hyphens=False, break_long_words=False)
