"""The text of an e-mail: the example of the guide, and texts in which something is unknown."""

from __future__ import annotations

from pathlib import Path

from kiok.notifications.content import NotificationContent, mail_text
from kiok.notifications.reported_file import ReportedFile, listed
from kiok.notifications.template import PLACEHOLDERS

GUIDE = Path(__file__).parents[2] / "docs" / "operate" / "notifications.md"
COMMIT = "14c891a06ba3154bbd9b7850104c57564f6cfe54"
PAGE = "https://github.com/acme/billing"
FILES = (
    ReportedFile(
        "load.yaml",
        5,
        "DAG 'load', task 'sum', key 'require': unknown key 'require'; did you mean 'requires'?",
        f"{PAGE}/blob/{COMMIT}/load.yaml#L5",
    ),
    ReportedFile(
        "totals.py",
        12,
        "ModuleNotFoundError: No module named 'lib.calendars'",
        f"{PAGE}/blob/{COMMIT}/totals.py#L12",
    ),
)
NOTHING = dict.fromkeys(PLACEHOLDERS, "")
VALUES = NOTHING | {
    "id": "150d5ea3-68ac-4f97-8f03-77cbc71dea92",
    "title": "billing is degraded: 2 files fail to compile",
    "repository": "billing",
    "url": f"{PAGE}.git",
    "ref": "main",
    "reason": "files_failed",
    "summary": "2 files failed; 1 DAG keeps its last good version",
    "files": listed(FILES),
    "remedy": "For the authors: the messages name file, line and key.",
    "commit": COMMIT,
    "short_commit": COMMIT[:10],
    "subject": "Rename a key of every task",
    "author": "Ada Lovelace",
    "commit_link": f"{PAGE}/commit/{COMMIT}",
    "link": "https://kiok.example.com/admin/gitsync/repository/3/change/",
    "time": "2026-11-30T18:44:57Z",
}


def test_the_example_of_the_guide_is_what_an_e_mail_says() -> None:
    example = GUIDE.read_text(encoding="utf-8").split("```text\n")[1].split("```")[0]
    assert mail_text(NotificationContent(VALUES, FILES)) == example


def test_what_is_unknown_leaves_no_empty_line_with_a_label() -> None:
    text = mail_text(NotificationContent(NOTHING | {"title": "T", "time": "now"}))
    assert text == "T\n\nTime: now\n"
    only_commit = NOTHING | {"title": "T", "commit": COMMIT, "short_commit": COMMIT[:10]}
    assert mail_text(NotificationContent(only_commit)) == f"T\n\nCommit: {COMMIT[:10]}\n"
