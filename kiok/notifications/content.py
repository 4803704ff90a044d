"""Content of a notification: the values of a template's placeholders, and the text of an e-mail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC

from kiok.cluster.conf import properties
from kiok.connections.redaction import redact
from kiok.notifications.errors import NotDelivered
from kiok.notifications.models import Notification, NotificationEvent
from kiok.text import cut, one_line

MAX_MESSAGE = 1000


@dataclass(frozen=True, slots=True)
class Description:
    """The part of a notification's content that only the app that emitted the event knows."""

    title: str
    repository: str = ""
    owner: str = ""
    url: str = ""
    ref: str = ""
    remedy: str = ""
    page: str = "/admin/"  # path below kiok.web.public.url


_describe: dict[str, Callable[[Notification], Description]] = {
    NotificationEvent.TEST: lambda _: Description("Test notification from kiok Git Sync")
}


def register(events: Iterable[NotificationEvent], describe: Callable[[Notification], Description]) -> None:
    """Have `describe` describe the notifications of these events. It is called before each attempt to send one."""
    _describe.update(dict.fromkeys(events, describe))


def redacted_line(text: str, limit: int = MAX_MESSAGE) -> str:
    """Return untrusted text on one line, without secrets and unprintable characters, cut to `limit` characters."""
    return cut(one_line(redact(text)), limit)


def values_of(notification: Notification) -> Mapping[str, str]:
    """Return the value of every placeholder. Raise NotDelivered for an event without a description."""
    if notification.event not in _describe:
        raise NotDelivered(f"no app describes the event {notification.event!r}")
    description = _describe[notification.event](notification)
    base = properties().web_public_url
    return {
        "id": str(notification.uid),
        "event": notification.event,
        "title": description.title,
        "repository": description.repository,
        "owner": redacted_line(description.owner, 200),
        "url": redacted_line(description.url, 500),
        "ref": redacted_line(description.ref, 300),
        "state": notification.state,
        "before": notification.before,
        "reason": notification.reason,
        "message": notification.message,
        "remedy": description.remedy,
        "commit": notification.commit,
        "link": base + description.page if base else "",
        "time": notification.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def mail_text(values: Mapping[str, str]) -> str:
    """Return the body of an e-mail: a line for each value that is not empty."""
    labelled = (
        ("Repository", values["repository"]),
        ("Owner", values["owner"]),
        ("URL", values["url"]),
        ("Branch or tag", values["ref"]),
        ("Commit", values["commit"]),
        ("Reason", values["reason"]),
        ("Message", values["message"]),
        ("What to do", values["remedy"]),
        ("Page", values["link"]),
        ("Time", values["time"]),
        ("Notification", values["id"]),
    )
    lines = [f"{label}: {value}" for label, value in labelled if value]
    return "\n".join((values["title"], "", *lines, ""))
