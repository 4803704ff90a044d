"""Template of a webhook's body: JSON whose strings contain `{placeholders}`.

The template is parsed as JSON before values are inserted, so that no value can change its structure. The style escapes
values that a chat service would interpret, such as mentions and links. Only the names in `PLACEHOLDERS` are allowed, without
attribute access or conditions, so that the author of a template can choose nothing but words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import TextChoices

from kiok.errors import KiokError

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
    "remedy": "what to do",
    "commit": "the checked commit; empty if it is unknown",
    "link": "the repository's page; empty without kiok.web.public.url",
    "time": "time of the event, as 2026-01-02T03:04:05Z",
}
MAX_CHARACTERS = 20_000
MAX_DEPTH = 50  # of nested lists and objects
MAX_SLACK_CHARACTERS = 2900  # per text; Slack refuses messages with a text of more than 3000
_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_TOO_DEEP = f"The template is nested too deeply: at most {MAX_DEPTH} levels of lists and objects are allowed."
_BREAK = "\N{ZERO WIDTH SPACE}"


class Style(TextChoices):
    """Format of a webhook's body."""

    JSON = "json", "JSON"
    SLACK = "slack", "Slack"
    TEAMS = "teams", "Microsoft Teams"
    MATTERMOST = "mattermost", "Mattermost"


class TemplateInvalid(KiokError):
    """The template is invalid; the message says where, and what is allowed."""


def _slack(value: str) -> str:
    """Escape the three characters that mentions and links need.

    https://docs.slack.dev/messaging/formatting-message-text/#escaping
    """
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")[:MAX_SLACK_CHARACTERS]


def _markdown(value: str) -> str:
    """Disable mentions, images, and links whose text differs from their address."""
    return (
        value.replace("@", "@" + _BREAK).replace("](", "]" + _BREAK + "(").replace("]:", "]" + _BREAK + ":")
    )


def _as_it_is(value: str) -> str:
    return value


_ESCAPES: Mapping[str, Callable[[str], str]] = {
    Style.JSON: _as_it_is,
    Style.SLACK: _slack,
    Style.TEAMS: _markdown,
    Style.MATTERMOST: _markdown,
}


def _ready(owner: str) -> Mapping[str, Any]:
    """Return the default template of each style. `owner` begins the line of details."""
    details = f"{owner}{{time}} {{commit}} {{link}}"
    return {
        Style.JSON: {name: f"{{{name}}}" for name in PLACEHOLDERS},
        Style.SLACK: {
            "text": "{title}",
            "blocks": [
                {"type": "header", "text": {"type": "plain_text", "text": "{title}", "emoji": False}},
                {"type": "section", "text": {"type": "plain_text", "text": "{message} ", "emoji": False}},
                {"type": "section", "text": {"type": "plain_text", "text": "{remedy} ", "emoji": False}},
                {
                    "type": "context",
                    "elements": [{"type": "plain_text", "text": details, "emoji": False}],
                },
            ],
        },
        Style.MATTERMOST: {
            "text": "**{title}**\n{message}\n{remedy}\n" + details.replace("{commit}", "`{commit}`")
        },
        # The format that the "Workflows" app of Teams accepts. A TextRun does not interpret markdown.
        Style.TEAMS: {
            "type": "message",
            "attachments": [
                {
                    "contentType": "application/vnd.microsoft.card.adaptive",
                    "content": {
                        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                        "type": "AdaptiveCard",
                        "version": "1.4",
                        "body": [
                            {
                                "type": "RichTextBlock",
                                "inlines": [{"type": "TextRun", "text": text, "weight": weight}],
                            }
                            for text, weight in (
                                ("{title}", "Bolder"),
                                ("{message} ", "Default"),
                                ("{remedy} ", "Default"),
                                (details, "Lighter"),
                            )
                        ],
                    },
                }
            ],
        },
    }


READY = _ready("")
READY_WITH_OWNER = _ready("Owner: {owner}. ")


def check_template(text: str) -> None:
    """Raise TemplateInvalid for an invalid template. An empty template means the style's default."""
    if text.strip():
        _filled(_parsed(text), dict.fromkeys(PLACEHOLDERS, ""))


def render(style: str, text: str, values: Mapping[str, str]) -> bytes:
    """Return the body in UTF-8. `values` has every name of `PLACEHOLDERS`. Raise TemplateInvalid."""
    ready = READY_WITH_OWNER if values["owner"] else READY
    template = _parsed(text) if text.strip() else ready[style]
    escape = _ESCAPES[style]
    # ASCII-only: a message may contain a lone surrogate, which UTF-8 cannot encode.
    return json.dumps(_filled(template, {name: escape(value) for name, value in values.items()})).encode()


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
