"""A webhook's body: JSON whose texts have `{placeholders}`.

The template is parsed as JSON before anything is put in, so that no value can alter its structure; what a chat service
would make of a value (a mention, a link) is the style's to take away. The names are those of `PLACEHOLDERS`, nothing of
them can be looked into, and there are no conditions: whoever writes a template can do no more than choose words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import TextChoices

from kiok.errors import KiokError

PLACEHOLDERS: Mapping[str, str] = {
    "id": "the notice's own id, the same when it is sent again",
    "event": "failing, degraded, recovered or test",
    "title": "what happened, in a line",
    "repository": "the repository's name",
    "url": "its url, without credentials",
    "ref": "its branch or tag",
    "state": "how it stands: failing, degraded or in_sync",
    "before": "what was told before",
    "reason": "why, in a word",
    "message": "why, in the words of git or the compiler",
    "remedy": "what to do",
    "commit": "the commit that was looked at; empty where it could not be learnt",
    "link": "the repository's page; empty without kiok.web.public.url",
    "time": "when, as 2026-01-02T03:04:05Z",
}
MAX_CHARACTERS = 20_000
MAX_DEPTH = 50
"""Of lists and objects in each other."""
MAX_SLACK_CHARACTERS = 2900
"""Of one text; Slack refuses a message with one of more than 3000."""
_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_TOO_DEEP = f"The template is nested too deeply; at most {MAX_DEPTH} lists and objects may be in each other."
_BREAK = "\N{ZERO WIDTH SPACE}"


class Style(TextChoices):
    """Whose webhook it is."""

    JSON = "json", "JSON"
    SLACK = "slack", "Slack"
    TEAMS = "teams", "Microsoft Teams"
    MATTERMOST = "mattermost", "Mattermost"


class TemplateInvalid(KiokError):
    """The template cannot be used; the message says where and what is allowed."""


def _slack(value: str) -> str:
    """https://docs.slack.dev/messaging/formatting-message-text/#escaping: mentions and links need these three."""
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")[:MAX_SLACK_CHARACTERS]


def _markdown(value: str) -> str:
    """No mention, no link with another text than its address, no picture."""
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

READY: Mapping[str, Any] = {
    Style.JSON: {name: f"{{{name}}}" for name in PLACEHOLDERS},
    Style.SLACK: {
        "text": "{title}",
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": "{title}", "emoji": False}},
            {"type": "section", "text": {"type": "plain_text", "text": "{message} ", "emoji": False}},
            {"type": "section", "text": {"type": "plain_text", "text": "{remedy} ", "emoji": False}},
            {
                "type": "context",
                "elements": [{"type": "plain_text", "text": "{time} {commit} {link}", "emoji": False}],
            },
        ],
    },
    Style.MATTERMOST: {"text": "**{title}**\n{message}\n{remedy}\n{time} `{commit}` {link}"},
    # As "Workflows" of Teams takes it. A text run knows no markdown.
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
                            ("{time} {commit} {link}", "Lighter"),
                        )
                    ],
                },
            }
        ],
    },
}


def check_template(text: str) -> None:
    """Raises TemplateInvalid for one that cannot be used. An empty one stands for the ready-made one."""
    if text.strip():
        _filled(_parsed(text), dict.fromkeys(PLACEHOLDERS, ""))


def render(style: str, text: str, values: Mapping[str, str]) -> bytes:
    """The body in UTF-8. `values` has every name of `PLACEHOLDERS`. Raises TemplateInvalid."""
    template = _parsed(text) if text.strip() else READY[style]
    escape = _ESCAPES[style]
    # In ASCII: half a surrogate pair, which a message may have, is no UTF-8.
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
            f"The template is no JSON: line {exc.lineno}, column {exc.colno}: {exc.msg}."
        ) from exc
    except RecursionError as exc:
        raise TemplateInvalid(_TOO_DEEP) from exc
    if not isinstance(found, dict):
        raise TemplateInvalid('The template is no JSON object: write {"text": "{title}"} or the like.')
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
            f"A {token!r} stands alone in {match.string[:100]!r}. Write it twice to mean itself."
        )
    if name not in values:
        raise TemplateInvalid(
            f"There is no placeholder {{{name[:100]}}}. Allowed: {', '.join(f'{{{known}}}' for known in PLACEHOLDERS)}."
        )
    return values[name]
