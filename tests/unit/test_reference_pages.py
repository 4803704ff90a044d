"""The generated pages of docs/reference are complete. That they are current is a test of `scripts/reference_tables.py`."""

from __future__ import annotations

from typing import Any

import pytest

from gitsync.api.service import described
from gitsync.errors import SyncError, SyncReason
from gitsync.git.errors import GitReason
from gitsync.remedies import REMEDIES
from gitsync.sync.verify import TrustedKeysUnreadable
from kiok.connections.errors import ConnectionReason
from scripts.reference import api, commands, reasons
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


def test_fields_of_the_api_have_a_type_and_a_meaning() -> None:
    found = list(api.fields())
    assert len(found) > 50
    for place, field in found:
        assert field.text.endswith("."), f"{place}: {field.name}"
        assert api.type_of(field.schema)


def test_operations_have_a_purpose_and_name_their_scope_once() -> None:
    found = list(api.operations(described()))
    assert len({operation.name for operation in found}) == len(found) > 20
    for operation in found:
        assert operation.text.endswith("."), operation.name
        assert operation.described["summary"]
        assert all(operation.results.values()), operation.name
        scope, permission = operation.needs
        assert bool(scope) == bool(permission) == (operation.path != "/"), operation.name


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "boolean"}, "boolean"),
        ({"enum": ["a", "b"], "type": "string"}, "`a`, `b`"),
        ({"type": "integer", "minimum": 1, "maximum": 9}, "integer, 1 to 9"),
        ({"type": "integer", "minimum": 1, "maximum": 2**63 - 1}, "integer, at least 1"),
        ({"type": "string", "maxLength": 9}, "string, at most 9 characters"),
        (
            {"anyOf": [{"type": "string", "minLength": 1, "maxLength": 9}, {"type": "null"}]},
            "string, 1 to 9 characters; or null",
        ),
        ({"type": "array", "maxItems": 2, "items": {"type": "integer"}}, "list, at most 2 of: integer"),
    ],
)
def test_type_of_says_the_type_and_its_limits(schema: dict[str, Any], text: str) -> None:
    assert api.type_of(schema) == text


def test_sync_error_is_transient_if_its_reason_is() -> None:
    errors = [error for error in SyncError.__subclasses__() if "__init__" not in vars(error)]
    assert len(errors) > 5
    for error in errors:
        assert error("message").transient is error.reason.transient
    assert TrustedKeysUnreadable("message").transient
