"""Content of a notification: the values of a template's placeholders, the failed files, and the text of an e-mail."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC

from kiok.cluster.conf import properties
from kiok.connections.redaction import redact
from kiok.notifications.errors import NotDelivered
from kiok.notifications.models import Notification, NotificationEvent
from kiok.notifications.reported_file import ReportedFile, listed
from kiok.text import cut, one_line, reveal_hidden

MAX_MESSAGE = 1000
MAX_TITLE = 140  # characters; Slack refuses a header of more than 150
MAX_FILES = 5  # failed files that are named
MAX_PATH = 200
MAX_PROBLEM = 300  # characters of the problem of a file
MAX_LINK = 1000
SHORT_COMMIT = 10
# A link that a message can contain without quotes.
_WEB_LINK = re.compile(r"https?://[^\s<>|\"'\\]+")


@dataclass(frozen=True, slots=True)
class Description:
    """The part of a notification's content that only the app that emitted the event knows.

    `summary` replaces the stored message where that repeats the `files`, of which any number may be given.
    """

    title: str
    repository: str = ""
    owner: str = ""
    url: str = ""
    ref: str = ""
    remedy: str = ""
    page: str = "/admin/"  # path below kiok.web.public.url
    summary: str = ""
    author: str = ""
    subject: str = ""
    commit_link: str = ""
    files: Sequence[ReportedFile] = ()
    left_out: int = 0  # other files that failed


_describe: dict[str, Callable[[Notification], Description]] = {
    NotificationEvent.TEST: lambda _: Description("Test notification from kiok Git Sync")
}


def register(events: Iterable[NotificationEvent], describe: Callable[[Notification], Description]) -> None:
    """Have `describe` describe the notifications of these events. It is called before each attempt to send one."""
    _describe.update(dict.fromkeys(events, describe))


def redacted_line(text: str, limit: int = MAX_MESSAGE) -> str:
    """Return untrusted text on one line, without secrets and unprintable characters, cut to `limit` characters."""
    return cut(one_line(redact(text)), limit)


@dataclass(frozen=True, slots=True)
class NotificationContent:
    """The value of every placeholder, and the failed files that are named."""

    values: Mapping[str, str]
    files: Sequence[ReportedFile] = ()


def content_of(notification: Notification) -> NotificationContent:
    """Return the content of a notification. Raise NotDelivered for an event without a description."""
    if notification.event not in _describe:
        raise NotDelivered(f"no app describes the event {notification.event!r}")
    description = _describe[notification.event](notification)
    base = properties().web_public_url
    files = [_reported(file) for file in description.files[:MAX_FILES]]
    left_out = description.left_out + len(description.files) - len(files)
    values = {
        "id": str(notification.uid),
        "event": notification.event,
        "title": redacted_line(description.title, MAX_TITLE),
        "repository": description.repository,
        "owner": redacted_line(description.owner, 200),
        "url": redacted_line(description.url, 500),
        "ref": redacted_line(description.ref, 300),
        "state": notification.state,
        "before": notification.before,
        "reason": notification.reason,
        "message": notification.message,
        "summary": redacted_line(description.summary or notification.message),
        "files": listed(files),
        "more_files": f"and {left_out} more" if left_out else "",
        "remedy": description.remedy,
        "commit": notification.commit,
        "short_commit": notification.commit[:SHORT_COMMIT],
        "subject": redacted_line(reveal_hidden(description.subject), 300),
        "author": redacted_line(reveal_hidden(description.author), 200),
        "commit_link": _web_link(description.commit_link),
        "link": _web_link(base + description.page) if base else "",
        "time": notification.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return NotificationContent(values, files)


def _reported(file: ReportedFile) -> ReportedFile:
    """Return the file with texts that any channel can show."""
    return ReportedFile(
        redacted_line(reveal_hidden(file.path), MAX_PATH),
        file.line,
        redacted_line(reveal_hidden(file.message), MAX_PROBLEM),
        _web_link(file.link),
    )


def _web_link(url: str) -> str:
    return url if len(url) <= MAX_LINK and _WEB_LINK.fullmatch(url) else ""


def mail_text(content: NotificationContent) -> str:
    """Return the body of an e-mail: paragraphs, and lines with a label, each only if it has something to say."""
    values = content.values
    author = f" ({values['author']})" if values["author"] else ""
    paragraphs = (
        values["title"],
        values["summary"],
        _lines("Failed files:" if content.files else "", values["files"], values["more_files"]),
        _labelled(
            ("Commit", f"{values['short_commit']} {values['subject']}".strip() + author),
            ("Commit page", values["commit_link"]),
        )
        if values["commit"]
        else "",
        _labelled(("What to do", values["remedy"]), ("Page", values["link"])),
        _labelled(
            ("Repository", values["repository"]),
            ("Owner", values["owner"]),
            ("URL", values["url"]),
            ("Branch or tag", values["ref"]),
            ("Reason", values["reason"]),
            ("Time", values["time"]),
            ("Notification", values["id"]),
        ),
    )
    return "\n\n".join(filter(None, paragraphs)) + "\n"


def _lines(*lines: str) -> str:
    return "\n".join(filter(None, lines))


def _labelled(*lines: tuple[str, str]) -> str:
    return "\n".join(f"{label}: {value}" for label, value in lines if value)
