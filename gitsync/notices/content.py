"""Content of a notification: the values of a template's placeholders, and the text of an e-mail."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC

from gitsync.models import Notice, NoticeEvent, Repository
from gitsync.remedies import remedy
from kiok.cluster.conf import properties
from kiok.connections.redaction import redact

MAX_MESSAGE = 1000
_WORDS = {
    NoticeEvent.FAILING: "is failing",
    NoticeEvent.DEGRADED: "is degraded",
    NoticeEvent.RECOVERED: "is in sync again",
}
# Written out, as resolving the URL would import every page into the worker.
_PAGE = "/admin/gitsync/repository/{pk}/change/"


def printable(text: str, limit: int = MAX_MESSAGE) -> str:
    """Return untrusted text on one line, without secrets and unprintable characters, cut to `limit` characters."""
    text = "".join(character if character.isprintable() else " " for character in redact(text))
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def values_of(notice: Notice) -> Mapping[str, str]:
    """Return the value of every placeholder, with one query if the repository is not loaded."""
    repository = notice.repository
    return {
        "id": str(notice.uid),
        "event": notice.event,
        "title": _title(notice, repository),
        "repository": repository.name if repository else "",
        "url": printable(repository.shown_url, 500) if repository else "",
        "ref": printable(repository.ref, 300) if repository else "",
        "state": notice.state,
        "before": notice.before,
        "reason": notice.reason,
        "message": notice.message,
        "remedy": remedy(notice.reason),
        "commit": notice.commit,
        "link": _link(repository),
        "time": notice.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def mail_text(values: Mapping[str, str]) -> str:
    """Return the body of an e-mail: a line for each value that is not empty."""
    labelled = (
        ("Repository", values["repository"]),
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


def _title(notice: Notice, repository: Repository | None) -> str:
    if repository is None:
        return "Test notification from kiok Git Sync"
    reason = f": {notice.reason}" if notice.reason else ""
    return f"{repository.name} {_WORDS[NoticeEvent(notice.event)]}{reason}"


def _link(repository: Repository | None) -> str:
    base = properties().web_public_url
    if not base:
        return ""
    return base + (_PAGE.format(pk=repository.pk) if repository else "/admin/")
