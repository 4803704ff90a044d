"""The generated pages of docs/reference are complete. That they are current is a test of `scripts/reference_tables.py`."""

from __future__ import annotations

import pytest

from gitsync.errors import SyncError, SyncReason
from gitsync.git.errors import GitReason
from gitsync.remedies import REMEDIES
from gitsync.sync.verify import TrustedKeysUnreadable
from kiok.connections.errors import ConnectionReason
from scripts.reference import commands, reasons
from scripts.reference.text import markdown

REASONS = [*GitReason, *SyncReason, *ConnectionReason]


@pytest.mark.parametrize("reason", REASONS, ids=repr)
def test_reason_has_a_meaning_and_a_remedy(reason: GitReason | SyncReason | ConnectionReason) -> None:
    assert reason.meaning.endswith(".")
    assert REMEDIES[reason].endswith(".")


def test_reasons_tables_have_each_reason_once() -> None:
    rows = "\n".join(reasons.tables().values()).splitlines()
    names = [row.split("`")[1] for row in rows if row.startswith("| `")]
    assert sorted(names) == sorted({reason.value for reason in REASONS})


def test_linked_phrases_occur_in_the_tables() -> None:
    tables = "\n".join(reasons.tables().values())
    for phrase, address in reasons.LINKS.items():
        assert f"[{phrase}]({address})" in tables


def test_markdown_quotes_code_and_keeps_the_address_of_a_link() -> None:
    text = "Set kiok.gitsync.max.* (see Refs and folders), or KIOK_MASTER_KEY: manage.py gitsync --now --repo NAME."
    assert markdown(text, reasons.LINKS) == (
        "Set `kiok.gitsync.max.*` (see [Refs and folders](../operate/refs.md)), or `KIOK_MASTER_KEY`: "
        "`manage.py gitsync --now --repo NAME`."
    )


def test_commands_have_a_purpose_a_page_and_help_for_each_argument() -> None:
    for name, command in commands.commands().items():
        text, _ = commands.parts_of(command.help)
        assert text.endswith("."), name
        assert commands.PAGES[name]
        for action in commands.arguments(name, command):
            assert action.help, f"{name}: {action.dest}"


def test_parts_of_separates_the_exit_statuses_from_the_help() -> None:
    text = "Do it; or not. Exit status 0: done; all is well; 1: failed (see: the log)."
    assert commands.parts_of(text) == (
        "Do it; or not.",
        {"0": "done; all is well", "1": "failed (see: the log)"},
    )
    assert commands.parts_of("Do it.") == ("Do it.", {})


def test_usage_has_no_option_that_all_commands_have() -> None:
    assert commands.usage("backup", commands.commands()["backup"]) == "manage.py backup FILE"


def test_sync_error_is_transient_if_its_reason_is() -> None:
    errors = [error for error in SyncError.__subclasses__() if "__init__" not in vars(error)]
    assert len(errors) > 5
    for error in errors:
        assert error("message").transient is error.reason.transient
    assert TrustedKeysUnreadable("message").transient
