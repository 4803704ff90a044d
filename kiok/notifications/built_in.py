"""Built-in templates of webhooks' bodies, without the parts for which a notification has no value.

In each style the parts are items of lists, or lines of a text. A part whose placeholders are all empty is left out. The
part with `{files}` is repeated for each failed file, in the form of `_FILE`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kiok.notifications.reported_file import ReportedFile
from kiok.notifications.style import Style

Fill = Callable[[str, Mapping[str, str]], str]

_NAME = re.compile(r"\{([a-z_]+)\}")
_FILES = {"files"}


def _slack_text(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _slack_section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _slack_text(text)}


def _slack_link(url: str, text: str) -> dict[str, Any]:
    # Slack neither links nor notifies anything in a verbatim text except what the template itself marks as a link.
    return {"type": "mrkdwn", "text": f"<{url}|{text}>", "verbatim": True}


def _teams_block(text: str, weight: str = "Default") -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, "weight": weight}]}


def _teams_link(title: str, url: str) -> dict[str, Any]:
    return {"type": "Action.OpenUrl", "title": title, "url": url}


def templates(placeholders: Sequence[str]) -> Mapping[str, Any]:
    """Return the template of each style. That of JSON has all `placeholders`."""
    return {
        Style.JSON: {name: f"{{{name}}}" for name in placeholders},
        Style.SLACK: {
            "text": "{title}",
            "blocks": [
                {"type": "header", "text": _slack_text("{title}")},
                _slack_section("{summary}"),
                _slack_section("{files}"),
                _slack_section("{more_files}"),
                _slack_section("{remedy}"),
                {
                    "type": "context",
                    "elements": [
                        _slack_text("{time}"),
                        _slack_text("Owner: {owner}"),
                        _slack_text("{short_commit} {subject}"),
                        _slack_text("{author}"),
                        _slack_link("{commit_link}", "Commit"),
                        _slack_link("{link}", "Open in kiok"),
                    ],
                },
            ],
        },
        Style.MATTERMOST: {
            "text": "**{title}**\n{summary}\n{files}\n{more_files}\n{remedy}\n"
            "`{short_commit}` {subject} {author}\n{commit_link}\nOwner: {owner}\n{time} {link}"
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
                            _teams_block("{title}", "Bolder"),
                            _teams_block("{summary}"),
                            _teams_block("{files}"),
                            _teams_block("{more_files}"),
                            _teams_block("{remedy}"),
                            _teams_block("{short_commit} {subject}", "Lighter"),
                            _teams_block("{author}", "Lighter"),
                            _teams_block("Owner: {owner}", "Lighter"),
                            _teams_block("{time}", "Lighter"),
                        ],
                        "actions": [
                            _teams_link("Open in kiok", "{link}"),
                            _teams_link("Open the commit", "{commit_link}"),
                        ],
                    },
                }
            ],
        },
    }


_FILE: Mapping[str, Any] = {
    Style.SLACK: [
        _slack_section("{place}: {problem}"),
        {"type": "context", "elements": [_slack_link("{place_link}", "Open the file")]},
    ],
    Style.TEAMS: [
        {
            "type": "RichTextBlock",
            "inlines": [
                {"type": "TextRun", "text": "{place}: {problem}"},
                {"type": "TextRun", "text": " Open", "selectAction": _teams_link("Open", "{place_link}")},
            ],
        }
    ],
}


def filled(
    style: str,
    template: Any,
    values: Mapping[str, str],
    files: Sequence[Mapping[str, str]],
    fill: Fill,
) -> Any:
    """Return the built-in template with its values. `values` and `files` are escaped; `fill` inserts them into a text."""

    def of(node: Any, known: Mapping[str, str]) -> Any:
        if isinstance(node, str):
            return fill("\n".join(line for line in node.split("\n") if not _is_empty(line, known)), known)
        if isinstance(node, list):
            return [item for part in node for item in items(part, known)]
        if isinstance(node, dict):
            parts = {key: of(part, known) for key, part in node.items()}
            return {key: part for key, part in parts.items() if part != []}
        return node

    def items(part: Any, known: Mapping[str, str]) -> list[Any]:
        if style in _FILE and _names(part) == _FILES:
            return [
                of(item, {**known, **file})
                for file in files
                for item in _FILE[style]
                if not _is_empty(item, {**known, **file})
            ]
        return [] if _is_empty(part, known) else [of(part, known)]

    return of(template, values)


def values_of_file(file: ReportedFile) -> Mapping[str, str]:
    """Return the values of the placeholders of `_FILE`."""
    return {"place": file.place, "problem": file.message, "place_link": file.link}


def _is_empty(node: Any, values: Mapping[str, str]) -> bool:
    names = _names(node)
    return bool(names) and not any(values[name].strip() for name in names)


def _names(node: Any) -> set[str]:
    """Return the placeholders in the texts of a part of a template."""
    if isinstance(node, str):
        return set(_NAME.findall(node))
    if isinstance(node, dict):
        return set().union(*map(_names, node.values()))
    return set().union(*map(_names, node)) if isinstance(node, list) else set()
