"""OpenAPI document: the document that ninja generates from the operations, completed with what ninja leaves out.

The page that shows it requires an admin login, the document a login or a token.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, get_type_hints

from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe
from ninja.operation import Operation
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

from gitsync.api import examples
from gitsync.api.auth import BearerToken, alternatives, caller_of
from gitsync.api.problems import CONTENT_TYPE, Problem

VERSION = "1.0"
TITLE = "kiok Git Sync"
DESCRIPTION = """\
Everything that the admin offers, for programs. Create a token in the admin under *API tokens* and send it as
`Authorization: Bearer kiok_…`.

* A token acts for its user, with the user's permissions and the repositories of the user's groups, limited by scopes:
  `read` for reading; `sync` for syncs, dry runs, pause and resume; `write` to add, change and delete repositories.
* Lists are paginated: `next` is the address of the next page, null on the last page. `total` is the number of rows on
  all pages, and `sort` orders the rows by a field, with a leading `-` in descending order.
* Every error is a problem (RFC 9457, `application/problem+json`); `errors` has a message for each invalid field. The
  response is 404 both for an object that does not exist and for one that the user may not see.
* Unknown parameters and keys are refused, not ignored.
"""

# Of required parameters, by name; those of an operation are more specific.
_PARAMETER_EXAMPLES: Mapping[str, Any] = {
    "name": "team-dags",
    "uid": examples.UID,
    "path": "dags/hourly.yaml",
    "version": 3,
    "/syncs/{id}": 4711,
    "/runs/{id}": 815,
    "/sync-requests/{id}": examples.TOKEN,
    "/dry-runs/{id}": examples.TOKEN,
    "/connections/{id}": "team-git",
    "/notification-channels/{id}": 3,
}
_PROBLEMS = {
    400: "The request cannot be read: the body is not JSON, or the request exceeds a limit.",
    401: "The token is missing, unknown, deleted or expired, or its user is disabled.",
    403: "The token lacks the required scope, or its user the required permission.",
    404: "The object does not exist, or the user may not see it; or the cursor is invalid.",
    409: "The current state does not allow this request; the problem's `type` and `detail` say why.",
    413: "The body is too large.",
    415: "The body is not sent as application/json.",
    422: "A value is invalid, or a parameter or key is unknown; `errors` says which and why.",
    500: "Internal error of the service.",
    503: "The database or the queue's broker does not respond. Retry after `Retry-After` seconds.",
}
_WITH_BODY = (409, 413, 415)
_HEADERS = {
    201: {
        "Location": {"description": "The address of the new repository.", "schema": {"type": "string"}},
    },
    202: {
        "Location": {"description": "The address to poll for the result.", "schema": {"type": "string"}},
    },
    401: {
        "WWW-Authenticate": {"description": "The challenge, as in RFC 6750.", "schema": {"type": "string"}},
    },
    503: {
        "Retry-After": {
            "description": "Seconds to wait before the next attempt.",
            "schema": {"type": "integer"},
        },
    },
}

# Swagger UI's stylesheet embeds its icons as data: URLs.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


def complete(document: dict[str, Any], operations: dict[str, Operation]) -> None:
    """Add every status with its schema, and the required scopes and permissions, to the document in place."""
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
                "detail": "The request has invalid values; see `errors`.",
                "errors": [{"field": "ref", "message": "a branch's name cannot end with a dot"}],
            }
        ],
    }
    scheme = document["components"]["securitySchemes"]["BearerToken"]
    scheme["description"] = "A token created in the admin under API tokens."
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            _complete(described, method, operations[described["operationId"]])
            _add_examples(described, path, schemas)


def parameters(document: dict[str, Any], path: str, method: str) -> frozenset[str] | None:
    """Return the names of an operation's query parameters, or None if the operation does not exist."""
    described = document["paths"].get(path, {}).get(method.lower())
    if described is None:
        return None
    return frozenset(item["name"] for item in described.get("parameters", ()) if item["in"] == "query")


def _complete(described: dict[str, Any], method: str, operation: Operation) -> None:
    fields = _fields(operation)
    for parameter in described["parameters"]:
        _never_null(parameter)
        _describe(parameter, fields.get(parameter["name"], ()))
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


def _add_examples(described: dict[str, Any], path: str, schemas: dict[str, Any]) -> None:
    """Add an example to the body, to each required parameter and to each response of success."""
    if "requestBody" in described:
        content = described["requestBody"]["content"]["application/json"]
        content["example"] = examples.REQUESTS[_schema_name(content["schema"])]
    for parameter in described["parameters"]:
        if parameter["required"] and "examples" not in parameter:
            of_path = _PARAMETER_EXAMPLES.get(path.partition("/v1")[2])
            parameter["example"] = of_path or _PARAMETER_EXAMPLES[parameter["name"]]
    for status, answer in described["responses"].items():
        if int(status) < 400:
            content = answer["content"]["application/json"]
            content["example"] = _response_example(_schema_name(content["schema"]), int(status), schemas)


def _response_example(name: str, status: int, schemas: dict[str, Any]) -> dict[str, Any]:
    if name in examples.RESPONSES:
        waiting = {"state": "waiting", "result": None} if status == HTTPStatus.ACCEPTED else {}
        return {**examples.RESPONSES[name], **waiting}
    row = _schema_name(schemas[name]["properties"]["items"]["items"])
    return {"items": [examples.RESPONSES[row]], "next": None, "total": 1}


def _schema_name(schema: dict[str, Any]) -> str:
    reference = schema.get("$ref") or next(part["$ref"] for part in schema["allOf"])
    return str(reference).rpartition("/")[2]


def _never_null(parameter: dict[str, Any]) -> None:
    """Remove null from an optional parameter's schema: ninja adds it, but no value in a URL is null."""
    schema = parameter["schema"]
    if "anyOf" in schema:
        (given,) = [choice for choice in schema.pop("anyOf") if choice != {"type": "null"}]
        schema.update(given)
    for key in ("description", "examples"):
        schema.pop(key, None)  # `_describe` adds them to the parameter


def _fields(operation: Operation) -> dict[str, list[FieldInfo]]:
    """Return the `Field`s in the annotation of each parameter, by its name in requests."""
    hints = get_type_hints(operation.view_func, include_extras=True)
    return {
        to_camel(name): [item for item in getattr(hint, "__metadata__", ()) if isinstance(item, FieldInfo)]
        for name, hint in hints.items()
    }


def _describe(parameter: dict[str, Any], fields: Iterable[FieldInfo]) -> None:
    """Add the description and the examples of a parameter's annotation: ninja drops them for most parameters."""
    for field in fields:
        if field.description:
            parameter["description"] = field.description
        if field.examples:  # a parameter's examples have names
            parameter["examples"] = {f"example {n}": {"value": v} for n, v in enumerate(field.examples, 1)}


def _needs(operation: Operation) -> str:
    """Return a sentence with the required scope and permissions: OpenAPI has scopes only for OAuth."""
    callers = [item for item in operation.auth_callbacks if isinstance(item, BearerToken)]
    scopes = [f"the scope `{item.scope.value}`" for item in callers if item.scope]
    permissions = [
        f"the permission {' or '.join(f'`{name}`' for name in alternatives(permission))}"
        for item in callers
        for permission in item.permissions
    ]
    return f"Requires {' and '.join([*scopes, *permissions])}." if scopes or permissions else ""


def _paragraph(text: str) -> str:
    return re.sub(r"(?<!\n)\n(?!\n) *", " ", text.strip())


@require_safe
@staff_member_required
def page(request: HttpRequest) -> HttpResponse:
    """Return Swagger UI, served from this service's files. Its requests are sent with a token, never with the session."""
    return TemplateResponse(
        request,
        "gitsync/api_docs.html",
        headers={"Content-Security-Policy": POLICY, "Cache-Control": "private, no-store"},
    )


def openapi(request: HttpRequest, document: dict[str, Any]) -> HttpResponse:
    """Return the OpenAPI document. Raise Refused (401)."""
    if request.method != "GET":
        return HttpResponseNotAllowed(["GET"])
    user: Any = request.user
    if not (user.is_active and user.is_staff):
        caller_of(request)
    return JsonResponse(document)
