"""The generated pages of docs/reference are complete. That they are current is a test of `scripts/reference_tables.py`."""

from __future__ import annotations

import pytest

from gitsync.errors import SyncError, SyncReason
from gitsync.git.errors import GitReason
from gitsync.remedies import REMEDIES
from gitsync.sync.verify import TrustedKeysUnreadable
from kiok.connections.errors import ConnectionReason
from scripts import reference_reasons

REASONS = [*GitReason, *SyncReason, *ConnectionReason]


@pytest.mark.parametrize("reason", REASONS, ids=repr)
def test_reason_has_a_meaning_and_a_remedy(reason: GitReason | SyncReason | ConnectionReason) -> None:
    assert reason.meaning.endswith(".")
    assert REMEDIES[reason].endswith(".")


def test_reasons_tables_have_each_reason_once() -> None:
    rows = "\n".join(reference_reasons.tables().values()).splitlines()
    names = [row.split("`")[1] for row in rows if row.startswith("| `")]
    assert sorted(names) == sorted({reason.value for reason in REASONS})


def test_linked_phrases_occur_in_the_tables() -> None:
    tables = "\n".join(reference_reasons.tables().values())
    for phrase, address in reference_reasons.LINKS.items():
        assert f"[{phrase}]({address})" in tables


def test_markdown_quotes_code_and_keeps_the_address_of_a_link() -> None:
    text = "Set kiok.gitsync.max.* (see Refs and folders), or KIOK_MASTER_KEY: manage.py gitsync --now --repo NAME."
    assert reference_reasons.markdown(text) == (
        "Set `kiok.gitsync.max.*` (see [Refs and folders](../operate/refs.md)), or `KIOK_MASTER_KEY`: "
        "`manage.py gitsync --now --repo NAME`."
    )


def test_sync_error_is_transient_if_its_reason_is() -> None:
    errors = [error for error in SyncError.__subclasses__() if "__init__" not in vars(error)]
    assert len(errors) > 5
    for error in errors:
        assert error("message").transient is error.reason.transient
    assert TrustedKeysUnreadable("message").transient
