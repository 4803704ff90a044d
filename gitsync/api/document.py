"""The OpenAPI document: what ninja makes of the operations, with all that it leaves out."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

from ninja.operation import Operation

from gitsync.api.auth import BearerToken
from gitsync.api.problems import CONTENT_TYPE, Problem

VERSION = "1.0"
TITLE = "kiok Git Sync"
DESCRIPTION = """\
What the admin does for people, for programs. Make a token in the admin under *API tokens*, and send it as
`Authorization: Bearer kiok_…`.

* A token acts for its user: with the user's permissions and the repositories of the user's groups, narrowed by scopes.
  `read` is for reading, `sync` for syncs, dry runs, pause and resume, `write` to add, change and remove repositories.
* Lists come in pages: `next` is the address of the page that follows, null on the last one.
* Every error is a problem (RFC 9457, `application/problem+json`); `errors` has a message for each field. 404 is the
  answer for what there is not and for what the user may not see alike.
* A parameter or key that is not listed is refused, not ignored.
"""

_PROBLEMS = {
    400: "The request cannot be read: the body is not JSON, or there is too much of something.",
    401: "No token, or one that is unknown, removed or expired, or whose user is switched off.",
    403: "The token lacks the scope, or its user the permission.",
    404: "There is no such thing that the user may see; or no page begins at the cursor.",
    409: "It cannot be done as things stand; the problem's type and detail say why.",
    413: "The body is too large.",
    415: "The body is not sent as application/json.",
    422: "A value cannot be taken, or a parameter or key is unknown; `errors` says which and why.",
    500: "A fault of the service.",
    503: "The database, or what carries tasks to workers, does not answer. Try again after `Retry-After` seconds.",
}
_WITH_BODY = (409, 413, 415)
_HEADERS = {
    201: {
        "Location": {"description": "The address of what was added.", "schema": {"type": "string"}},
    },
    202: {
        "Location": {"description": "The address of the request.", "schema": {"type": "string"}},
    },
    401: {
        "WWW-Authenticate": {"description": "RFC 6750.", "schema": {"type": "string"}},
    },
    503: {
        "Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}},
    },
}


def complete(document: dict[str, Any], operations: dict[str, Operation]) -> None:
    """Add to the document, in place, every status with its schema, and who may call what."""
    schemas = document["components"]["schemas"]
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs"))
    schemas["Problem"] = {
        **problem,
        "examples": [
            {
                "type": "urn:kiok:problem:invalid",
                "title": "Unprocessable Entity",
                "status": 422,
                "detail": "Some of what was sent cannot be taken; `errors` says what.",
                "errors": [{"field": "ref", "message": "a branch's name cannot end with a dot"}],
            }
        ],
    }
    scheme = document["components"]["securitySchemes"]["BearerToken"]
    scheme["description"] = "A token made in the admin under API tokens."
    for methods in document["paths"].values():
        for method, described in methods.items():
            _complete(described, method, operations[described["operationId"]])


def parameters(document: dict[str, Any], path: str, method: str) -> frozenset[str] | None:
    """The query parameters that an operation has; None where there is no such operation."""
    described = document["paths"].get(path, {}).get(method.lower())
    if described is None:
        return None
    return frozenset(item["name"] for item in described.get("parameters", ()) if item["in"] == "query")


def _complete(described: dict[str, Any], method: str, operation: Operation) -> None:
    for parameter in described["parameters"]:
        _never_null(parameter)
    for status, answer in described["responses"].items():
        answer["description"] = HTTPStatus(status).phrase
        if status in _HEADERS:
            answer["headers"] = _HEADERS[status]
    for status, text in _PROBLEMS.items():
        if status in _WITH_BODY and method == "get":
            continue
        described["responses"][status] = {
            "description": text,
            "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            **({"headers": _HEADERS[status]} if status in _HEADERS else {}),
        }
    described["description"] = "\n\n".join(
        part for part in (_paragraph(described.get("description", "")), _needs(operation)) if part
    )


def _never_null(parameter: dict[str, Any]) -> None:
    """A parameter that need not be sent is taken by ninja for one that may be null, which nothing in an address is."""
    schema = parameter["schema"]
    if "anyOf" in schema:
        (given,) = [choice for choice in schema.pop("anyOf") if choice != {"type": "null"}]
        schema.update(given)
    for key in ("description", "examples"):
        if key in schema:
            parameter[key] = schema.pop(key)
    if "examples" in parameter:  # of a parameter they have names
        parameter["examples"] = {f"example {n}": {"value": v} for n, v in enumerate(parameter["examples"], 1)}


def _needs(operation: Operation) -> str:
    """The scope and the permissions, for people: OpenAPI knows scopes for OAuth alone."""
    callers = [item for item in operation.auth_callbacks if isinstance(item, BearerToken)]
    scopes = [f"the scope `{item.scope.value}`" for item in callers if item.scope]
    permissions = [f"the permission `{name}`" for item in callers for name in item.permissions]
    return f"Needs {' and '.join([*scopes, *permissions])}." if scopes or permissions else ""


def _paragraph(text: str) -> str:
    return re.sub(r"(?<!\n)\n(?!\n) *", " ", text.strip())
