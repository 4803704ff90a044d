"""Template of a webhook's body: JSON whose strings contain `{placeholders}`.

The template is parsed as JSON before values are inserted, so that no value can change its structure. The style escapes
values that a chat service would interpret, such as mentions and links. Only the names in `PLACEHOLDERS` are allowed, without
attribute access or conditions, so that the author of a template can choose nothing but words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from kiok.errors import KiokError
from kiok.notifications.built_in import filled, templates, values_of_file
from kiok.notifications.reported_file import ReportedFile
from kiok.notifications.style import ESCAPES
from kiok.notifications.style import Style as Style

PLACEHOLDERS: Mapping[str, str] = {
    "id": "the notification's id, the same for each attempt",
    "event": "failing, degraded, recovered or test",
    "title": "summary in one line",
    "repository": "the repository's name",
    "owner": "the repository's owner; empty if it has none",
    "url": "the repository's URL, without credentials",
    "ref": "the repository's branch or tag",
    "state": "the repository's state: failing, degraded or in_sync",
    "before": "the state of the previous notification",
    "reason": "the reason, in one word",
    "message": "the message of git or the compiler",
    "summary": "the message without the problems of the files",
    "files": "the first failed files: path, line and problem, and below it the link to the line",
    "more_files": "how many other files failed; empty if all are in `files`",
    "remedy": "what to do",
    "commit": "the checked commit; empty if it is unknown",
    "short_commit": "the first characters of the commit",
    "subject": "the first line of the commit's message",
    "author": "the name of the commit's author",
    "commit_link": "the commit's page at the git service; empty if it is unknown",
    "link": "the repository's page; empty without kiok.web.public.url",
    "time": "time of the event, as 2026-01-02T03:04:05Z",
}
MAX_CHARACTERS = 20_000
MAX_DEPTH = 50  # of nested lists and objects
_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_TOO_DEEP = f"The template is nested too deeply: at most {MAX_DEPTH} levels of lists and objects are allowed."


class TemplateInvalid(KiokError):
    """The template is invalid; the message says where, and what is allowed."""


READY: Mapping[str, Any] = templates(tuple(PLACEHOLDERS))


def check_template(text: str) -> None:
    """Raise TemplateInvalid for an invalid template. An empty template means the style's default."""
    if text.strip():
        _filled(_parsed(text), dict.fromkeys(PLACEHOLDERS, ""))


def render(style: str, text: str, values: Mapping[str, str], files: Sequence[ReportedFile] = ()) -> bytes:
    """Return the body in UTF-8. `values` has every name of `PLACEHOLDERS`. Raise TemplateInvalid.

    A built-in template also shows `files` one by one: that of JSON as a list of objects, `failed_files`.
    """
    escaped = _escaped(values, style)
    if text.strip():
        body = _filled(_parsed(text), escaped)
    else:
        of_files = [_escaped(values_of_file(file), style) for file in files]
        body = filled(style, READY[style], escaped, of_files, _filled)
        if style == Style.JSON:
            body["failed_files"] = [file.to_json() for file in files]
    # ASCII-only: a message may contain a lone surrogate, which UTF-8 cannot encode.
    return json.dumps(body).encode()


def _escaped(values: Mapping[str, str], style: str) -> dict[str, str]:
    return {name: ESCAPES[style](value) for name, value in values.items()}


def _parsed(text: str) -> Any:
    if len(text) > MAX_CHARACTERS:
        raise TemplateInvalid(
            f"The template has {len(text)} characters; at most {MAX_CHARACTERS} are allowed."
        )
    try:
        found = json.loads(text)
    except json.JSONDecodeError as exc:
        raise TemplateInvalid(
            f"The template is not valid JSON: line {exc.lineno}, column {exc.colno}: {exc.msg}."
        ) from exc
    except RecursionError as exc:
        raise TemplateInvalid(_TOO_DEEP) from exc
    if not isinstance(found, dict):
        raise TemplateInvalid('The template is not a JSON object. Example: {"text": "{title}"}.')
    return found


def _filled(template: Any, values: Mapping[str, str], depth: int = MAX_DEPTH) -> Any:
    if isinstance(template, str):
        return _TOKEN.sub(lambda match: _value(match, values), template)
    if not isinstance(template, list | dict):
        return template
    if not depth:
        raise TemplateInvalid(_TOO_DEEP)
    if isinstance(template, list):
        return [_filled(item, values, depth - 1) for item in template]
    return {key: _filled(item, values, depth - 1) for key, item in template.items()}


def _value(match: re.Match[str], values: Mapping[str, str]) -> str:
    token, name = match[0], match[1]
    if token in ("{{", "}}"):
        return token[0]
    if name is None:
        raise TemplateInvalid(
            f"Unmatched {token!r} in {match.string[:100]!r}. Double it to write a literal brace."
        )
    if name not in values:
        raise TemplateInvalid(
            f"Unknown placeholder {{{name[:100]}}}. Allowed: {', '.join(f'{{{known}}}' for known in PLACEHOLDERS)}."
        )
    return values[name]
