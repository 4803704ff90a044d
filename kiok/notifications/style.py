"""Formats of a webhook's body, and what each escapes in values."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from django.db.models import TextChoices

MAX_SLACK_CHARACTERS = 2900  # per text; Slack refuses messages with a text of more than 3000
_BREAK = "\N{ZERO WIDTH SPACE}"


class Style(TextChoices):
    """Format of a webhook's body."""

    JSON = "json", "JSON"
    SLACK = "slack", "Slack"
    TEAMS = "teams", "Microsoft Teams"
    MATTERMOST = "mattermost", "Mattermost"


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


ESCAPES: Mapping[str, Callable[[str], str]] = {
    Style.JSON: _as_it_is,
    Style.SLACK: _slack,
    Style.TEAMS: _markdown,
    Style.MATTERMOST: _markdown,
}
