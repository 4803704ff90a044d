"""The reference pages have what the code has: properties, metrics, reasons, the JSON report."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from enum import StrEnum

import pytest

from gitsync.errors import SyncReason
from gitsync.git.errors import GitReason
from gitsync.models import DeliveryOutcome, RepositoryState
from gitsync.monitoring.metrics import METRICS
from gitsync.remedies import REMEDIES
from gitsync.sync.report import FileFailure, SyncReport
from kiok.cluster.version import VERSION
from kiok.connections.errors import ConnectionReason
from kiok.server import marked_text
from kiok.server.management.commands.properties import markdown_table
from kiok.server.properties import TABLE
from tests.support.documents import (
    COMMANDS,
    DOCUMENTS,
    METRICS_PAGE,
    REASONS,
    ROOT,
    WEBHOOKS,
    section,
    words_of,
)

_ROW = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)


def test_reference_tables_are_those_that_the_script_writes() -> None:
    script = str(ROOT / "scripts" / "reference_tables.py")
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, check=False)
    assert (done.returncode, done.stderr.decode()) == (0, "")


def test_properties_command_prints_the_table_of_its_page() -> None:
    page = (ROOT / "docs" / "reference" / "properties.md").read_text(encoding="utf-8")
    assert marked_text.replaced(page, "properties", markdown_table()) == page
    assert [name for name in _ROW.findall(page) if name.startswith("kiok.")] == list(TABLE)


def test_metrics_page_has_every_metric_in_order() -> None:
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
    assert _ROW.findall(page) == [metric.name for metric in METRICS]


@pytest.mark.parametrize("reasons", [GitReason, SyncReason, ConnectionReason], ids=lambda r: r.__module__)
def test_every_reason_is_explained_once_with_its_remedy(reasons: type[StrEnum]) -> None:
    rows = _ROW.findall(words_of(REASONS))
    for reason in reasons:
        assert rows.count(reason.value) == 1, f"docs/reference/reasons.md: one row for `{reason.value}`"


def test_no_reason_is_explained_that_does_not_exist() -> None:
    known = {reason.value for enum in (GitReason, SyncReason, ConnectionReason) for reason in enum}
    assert set(_ROW.findall(words_of(REASONS))) == known


def test_every_row_of_the_reasons_has_a_meaning_and_a_remedy() -> None:
    rows = [row for row in words_of(REASONS).splitlines() if row.startswith("| `")]
    assert rows
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert len(cells) == 3, row
        assert all(cells), row


@pytest.mark.parametrize("reason", [*GitReason, *SyncReason])
def test_the_pages_give_the_remedy_of_the_table(reason: StrEnum) -> None:
    row = next(row for row in words_of(REASONS).splitlines() if row.startswith(f"| `{reason.value}` |"))
    told = row.strip("|").split("|")[2].strip()
    assert REMEDIES[reason] == re.sub(r"\[(.+?)\]\([^)]*\)", r"\1", told).replace("`", "")


def test_every_answer_to_a_webhook_is_explained_once() -> None:
    rows = _ROW.findall(section(WEBHOOKS, "Answers"))
    for outcome in DeliveryOutcome:
        assert rows.count(outcome.value) == 1, f"docs/operate/webhooks.md: one row for `{outcome.value}`"


def test_the_documented_reasons_with_growing_pauses_are_those_of_the_code() -> None:
    text = section(REASONS, "Git failures that are transient")
    assert set(_ROW.findall(text)) == {reason.value for reason in GitReason if reason.transient}


def test_the_json_contract_has_the_keys_of_the_report() -> None:
    text = section(COMMANDS, "What `gitsync --json` prints")
    report = SyncReport(
        "team", RepositoryState.IN_SYNC, failed=(FileFailure("a.yaml", 1, "wrong"),)
    ).to_json()
    assert _ROW.findall(text) == list(report)
    for key in report["failed"][0]:
        assert f'"{key}"' in text
    for state in RepositoryState:
        assert f"`{state.value}`" in text


def metric_rows() -> list[str]:
    """The rows of the table of metrics, from the metrics themselves."""
    return [
        f"| `{metric.name}` | {metric.kind} | {', '.join(f'`{label}`' for label in metric.labels)} | {metric.meaning} |"
        for metric in METRICS
    ]


def test_the_table_of_metrics_is_that_of_the_code() -> None:
    found = [row for row in words_of(METRICS_PAGE).splitlines() if row.startswith("| `kiok_")]
    wanted = metric_rows()
    assert found == wanted, "docs/reference/metrics.md: the rows have to read\n" + "\n".join(wanted)


def test_every_metric_that_a_document_names_exists() -> None:
    known = {metric.name for metric in METRICS}
    assert set(re.findall(r"\bkiok_[a-z_]+", words_of(METRICS_PAGE))) == known
    for document in DOCUMENTS:
        named = set(re.findall(r"\bkiok_(?:gitsync|authentication|build)_[a-z_]+", words_of(document)))
        assert named <= known, f"{document.relative_to(ROOT)}: {named - known}"


def test_every_metric_keeps_the_conventions_of_prometheus() -> None:
    """https://prometheus.io/docs/practices/naming/, and what `promtool check metrics` looks at."""
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert re.fullmatch(r"kiok_[a-z]+(_[a-z]+)*", metric.name), metric
        assert (metric.kind == "counter") == metric.name.endswith("_total"), metric
        assert (metric.kind == "summary") == ("quantile" in metric.labels), metric
        assert not metric.name.endswith(("_count", "_sum", "_bucket")), metric
        assert not {"le", "instance", "job"} & set(metric.labels), metric
        assert not re.search(r"_(ms|milliseconds|minutes|hours|kilobytes|age)(_|$)", metric.name), metric
        assert ("timestamp" in metric.name) <= metric.name.endswith("_timestamp_seconds"), metric
        assert metric.meaning.endswith("."), metric


def test_the_version_that_is_told_is_that_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == VERSION
