"""Content of notifications: titles in words, failed files with links, author and commit, in every kind of channel."""

from __future__ import annotations

from dataclasses import replace
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from pytest_django import Settings

from gitsync.models import Repository, SyncRun
from kiok.notifications import sender
from kiok.notifications.content import MAX_FILES, NotificationContent, content_of, mail_text
from kiok.notifications.models import ChannelKind, Notification, NotificationChannel
from kiok.notifications.template import Style
from tests.integration.conftest import Configure, Sync, yaml_dag
from tests.support.notification_rows import BROKEN, fail
from tests.support.servers.ports import free_port
from tests.support.servers.receiver import MailServer, WebhookServer
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

GITHUB = "https://github.com/acme/dags.git"
PAGE = "https://github.com/acme/dags"


def last() -> NotificationContent:
    """Return the content of the newest notification, read as the sender reads it."""
    return content_of(Notification.objects.select_related("repository").latest("pk"))


def break_files(work_repo: WorkRepo, sync: Sync, number: int, message: str = "Rename a key") -> str:
    commit = work_repo.publish({f"dags/{at}.yaml": BROKEN for at in range(number)}, message)
    sync()
    Repository.objects.update(url=GITHUB)
    return commit


def test_a_degraded_repository_is_reported_with_its_files_and_commit(
    work_repo: WorkRepo, sync: Sync, repository: Repository, settings: Settings
) -> None:
    settings.KIOK = replace(settings.KIOK, web_public_url="https://kiok.example.com")
    commit = break_files(work_repo, sync, 7)
    content = last()
    values = content.values
    assert values["title"] == "team is degraded: 7 files fail to compile"
    assert values["summary"] == "7 files failed"
    assert (values["author"], values["subject"], values["short_commit"]) == (
        "Ada",
        "Rename a key",
        commit[:10],
    )
    assert values["commit_link"] == f"{PAGE}/commit/{commit}"
    assert values["link"] == f"https://kiok.example.com/admin/gitsync/repository/{repository.pk}/change/"
    assert [file.path for file in content.files] == [f"dags/{at}.yaml" for at in range(MAX_FILES)]
    assert content.files[0].link == f"{PAGE}/blob/{commit}/dags/0.yaml#L5"
    assert values["more_files"] == "and 2 more"

    lines = mail_text(content).split("\n")
    assert lines[:5] == [values["title"], "", "7 files failed", "", "Failed files:"]
    assert lines[5].startswith("dags/0.yaml:5: ")
    assert "requires" in lines[5]
    assert lines[6] == f"{PAGE}/blob/{commit}/dags/0.yaml#L5"
    assert lines[15:20] == [
        "and 2 more",
        "",
        f"Commit: {commit[:10]} Rename a key (Ada)",
        f"Commit page: {PAGE}/commit/{commit}",
        "",
    ]
    assert f"Page: {values['link']}" in lines
    assert "Reason: files_failed" in lines
    assert not [line for line in lines if line.endswith(": ")]


def test_one_failed_file_and_a_commit_without_facts_read_well(
    work_repo: WorkRepo, sync: Sync, repository: Repository
) -> None:
    commit = break_files(work_repo, sync, 1)
    Repository.objects.update(url=work_repo.file_url)  # a server without pages
    SyncRun.objects.update(commit_author="", commit_subject="")
    content = last()
    assert content.values["title"] == "team is degraded: 1 file fails to compile"
    assert content.values["more_files"] == ""
    assert content.files[0].link == ""
    text = mail_text(content)
    assert f"\nCommit: {commit[:10]}\n" in text
    for absent in ("Commit page", "Page:", "http", "()", "and "):
        assert absent not in text.partition("What to do")[0], absent


def test_a_connection_that_is_refused_is_the_title(
    repository: Repository, sync: Sync, configure: Configure
) -> None:
    configure(notice_after_failures=1)
    port = free_port()
    Repository.objects.update(url=f"https://localhost:{port}/dags.git")
    assert sync().reason == "network"
    content = last()
    assert content.values["title"] == f"team is failing: Connection refused (localhost:{port})"
    assert content.values["commit"] == content.values["commit_link"] == content.values["author"] == ""
    assert "Commit" not in mail_text(content)
    assert "Failed files" not in mail_text(content)


def test_a_recovery_says_which_commit_repaired_it(
    work_repo: WorkRepo, sync: Sync, repository: Repository
) -> None:
    work_repo.publish({"a.yaml": BROKEN}, "Rename a key")
    sync()
    commit = work_repo.publish({"a.yaml": yaml_dag("a")}, "Restore the key")
    sync()
    values = last().values
    assert values["title"] == "team is in sync again"
    assert (values["subject"], values["short_commit"], values["files"]) == (
        "Restore the key",
        commit[:10],
        "",
    )


def test_a_failure_after_a_degraded_sync_of_the_commit_names_no_files(
    work_repo: WorkRepo, sync: Sync, repository: Repository
) -> None:
    break_files(work_repo, sync, 1)
    Repository.objects.update(subpath="nowhere", url=work_repo.file_url)
    sync()
    content = last()
    assert content.values["title"] == "team is failing: The subpath does not exist"
    assert (content.files, content.values["subject"]) == ([], "Rename a key")


def test_a_notification_is_sent_after_its_sync_was_removed(
    work_repo: WorkRepo, sync: Sync, repository: Repository
) -> None:
    break_files(work_repo, sync, 2)
    SyncRun.objects.all().delete()
    content = last()
    assert content.values["title"] == "team is degraded: files fail to compile"
    assert "dags/0.yaml:5" in content.values["summary"]


def test_a_description_costs_the_same_queries_for_any_number_of_files(
    work_repo: WorkRepo, sync: Sync, repository: Repository, django_assert_num_queries: object
) -> None:
    break_files(work_repo, sync, 40)
    Repository.objects.update(url="https://git.example.com/acme/dags.git")
    with django_assert_num_queries(3):  # type: ignore[operator]  # notification, last webhook, sync
        assert last().values["more_files"] == f"and {40 - MAX_FILES} more"


@pytest.mark.parametrize("style", Style)
def test_hostile_text_of_a_commit_is_text_in_every_webhook(
    style: Style,
    work_repo: WorkRepo,
    sync: Sync,
    repository: Repository,
    channel: NotificationChannel,
    server: WebhookServer,
) -> None:
    NotificationChannel.objects.update(style=style)
    break_files(work_repo, sync, 2, "<!channel> @here [x](https://evil.example) \u202egnirts <b>")
    assert sender.deliver() == "1 notifications delivered"
    body = server.received[0].body.decode()
    told = server.received[0].json
    if style == Style.JSON:
        assert told["subject"] == r"<!channel> @here [x](https://evil.example) \u202egnirts <b>"
        assert [file["line"] for file in told["failed_files"]] == [5, 5]
        assert told["failed_files"][1]["link"].endswith("/dags/1.yaml#L5")
    else:
        assert "\\u202e" not in body.replace("\\\\u202e", "")
        assert "gnirts" in body
        assert "dags/1.yaml:5" in body
        assert "/dags/1.yaml#L5" in body
    if style == Style.SLACK:
        assert "<!" not in body
        assert told["blocks"][0]["text"]["text"] == "team is degraded: 2 files fail to compile"
    if style in (Style.TEAMS, Style.MATTERMOST):
        assert "@here" not in body
        assert "](" not in body


def test_an_e_mail_about_failed_files_arrives_with_its_links(
    work_repo: WorkRepo, sync: Sync, repository: Repository, tmp_path: Path, settings: Settings
) -> None:
    NotificationChannel.objects.create(
        name="mail", kind=ChannelKind.EMAIL, addresses="ada@example.com", all_repositories=True
    )
    commit = break_files(work_repo, sync, 2, "Größe ändern")
    with MailServer(tmp_path / "mail") as mail_server:
        settings.KIOK = replace(
            settings.KIOK,
            gitsync_ssl_ca_info=mail_server.ca_file,
            mail_host="localhost",
            mail_port=mail_server.port,
            mail_from="kiok@example.com",
        )
        settings.EMAIL_HOST, settings.EMAIL_PORT = "localhost", mail_server.port
        settings.EMAIL_USE_TLS, settings.EMAIL_TIMEOUT = True, 10
        assert sender.deliver() == "1 notifications delivered"
    message = message_from_bytes(mail_server.messages[0][2].encode(), policy=default)
    text = message.get_content()
    assert message["Subject"] == "[kiok] team is degraded: 2 files fail to compile"
    assert f"Commit: {commit[:10]} Größe ändern (Ada)" in text
    assert f"{PAGE}/blob/{commit}/dags/1.yaml#L5" in text


def test_a_title_fits_a_header_whatever_the_reason(repository: Repository) -> None:
    """Slack refuses a header of more than 150 characters."""
    Repository.objects.update(name="n" * 63, ref="x" * 300)
    fail(Repository.objects.get())
    title = last().values["title"]
    assert title.startswith(f"{'n' * 63} is failing: The branch or tag does not exist (xxx")
    assert len(title) <= 140
