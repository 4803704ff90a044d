"""The documents say what the code does: tables are complete, links lead somewhere, named tests exist."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

import axes
import pytest

from gitsync import VERSION
from gitsync.errors import SyncReason
from gitsync.git.errors import GitReason
from gitsync.models import DeliveryOutcome, RepositoryState
from gitsync.monitoring.metrics import METRICS
from gitsync.remedies import REMEDIES
from gitsync.sync.report import FileFailure, SyncReport
from kiok.connections.errors import ConnectionReason as ConnectionReason
from kiok.server import marked_text
from kiok.server.management.commands.properties import markdown_table
from kiok.server.properties import OTHER_VARIABLES, TABLE

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
QUICKSTART = DOCS / "quickstart.md"
OPERATE = DOCS / "operate"
RUNBOOKS = DOCS / "runbooks"
REASONS = DOCS / "reference" / "reasons.md"
METRICS_PAGE = DOCS / "reference" / "metrics.md"
WEBHOOKS = OPERATE / "webhooks.md"
INCIDENTS = OPERATE / "troubleshooting" / "incidents.md"
COMMANDS = DOCS / "reference" / "cli.md"
ARCHITECTURE = ROOT / "ARCHITECTURE.md"
FAILURE_CASES = ROOT / "docs" / "failure-cases.md"
ADRS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
DOCUMENTS = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "examples").glob("*.md")])

_ROW = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PICTURE = re.compile(r'(?:src|srcset)="([^"]+)"|\]\(([^)\s]+\.png)\)')
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_NAMED_TEST = re.compile(r"`(test_[a-z0-9_]+)`")
_CODE = re.compile(r"`([^`\n]+)`")
_COMMAND = re.compile(r"manage\.py ([a-z_]+)((?: +\\\n *| )[^`|\n#→]*)?")
_OPTION = re.compile(r"(?<![\w-])--[a-z-]+")
_FILE = re.compile(
    r"(?<![\w./-])(?:scripts|tests|ops|kiok|gitsync|compilers|soak|benchmarks|docs|examples)/[\w./*-]*[\w*]"
)
_OF_DJANGO = {
    "changepassword": set(),
    "check": {"--deploy"},
    "createsuperuser": set(),
    "makemigrations": set(),
    "migrate": set(),
    "qmonitor": set(),
}
"""The commands of Django and django-q2 that documents name, with the options that they name of them."""
_NO_PROPERTIES = frozenset(
    ("kiok.correlation", "kiok.java", "kiok.properties", "kiok.protocol", "kiok.python", "kiok.service")
)
"""Labels of containers and images, and a file."""
_MAY_BE_WIDE = re.compile(r"^\s*(\||(?:[-*] )?\[[^\]]*\]\([^)]*\)[.,;:]?$)|https?://")
_NOT_WRAPPED = frozenset(
    ("performance.md", "reliability.md", "security.md")
)  # pages with generated lines, or whose lines are still wider


def section(path: Path, title: str) -> str:
    """The text from a heading to the next one of the same or a higher level."""
    text = path.read_text(encoding="utf-8")
    found = re.search(rf"^(#+) {re.escape(title)}$", text, re.MULTILINE)
    assert found, f"{path.name} has no heading {title!r}"
    rest = text[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


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


def test_the_reasons_that_are_tried_again_with_growing_pauses_are_those_of_the_code() -> None:
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


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_or_heading_leads_there(document: Path) -> None:
    for link in _LINK.findall(_FENCE.sub("", document.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), f"{document.name}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{document.name}: {link}"


def test_every_picture_that_is_shown_exists_in_light_and_dark_and_every_one_that_exists_is_shown() -> None:
    named = set()
    for document in DOCUMENTS:
        for name in map("".join, _PICTURE.findall(document.read_text(encoding="utf-8"))):
            assert (document.parent / name).is_file(), f"{document.name}: {name}"
            named.add((document.parent / name).resolve())
    pictures = set((ROOT / "docs" / "screenshots").iterdir())
    in_light = {path for path in pictures if path.stem.endswith("-light")}
    assert in_light <= named
    assert pictures == in_light | {path.with_stem(path.stem[:-5] + "dark") for path in in_light}
    assert {path.suffix for path in pictures} == {".png"}


def test_no_picture_weighs_more_than_200_kb_and_each_is_told_in_words() -> None:
    for path in (ROOT / "docs" / "screenshots").iterdir():
        assert path.stat().st_size < 200_000, path.name
    for document in DOCUMENTS:
        for image in re.findall(r"<img [^>]*>", document.read_text(encoding="utf-8")):
            assert re.search(r'alt="[^"]{20,}"', image), f"{document.name}: {image}"


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as git forges make them."""
    headings = _HEADING.findall(_FENCE.sub("", path.read_text(encoding="utf-8")))
    return {anchor_of(heading) for heading in headings}


def anchor_of(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("document", [ARCHITECTURE, FAILURE_CASES, *ADRS], ids=lambda path: path.stem)
def test_every_test_that_a_document_names_exists(document: Path) -> None:
    named = set(_NAMED_TEST.findall(document.read_text(encoding="utf-8")))
    assert named <= set(defined_tests()), named - set(defined_tests())


def test_every_invariant_names_a_test() -> None:
    invariants = re.split(r"^\d+\. ", section(ARCHITECTURE, "Always true"), flags=re.MULTILINE)[1:]
    assert len(invariants) == 8
    for invariant in invariants:
        assert _NAMED_TEST.search(invariant), invariant


def defined_tests() -> Iterable[str]:
    """The names of all tests of the suite."""
    for path in (ROOT / "tests").rglob("test_*.py"):
        yield from re.findall(r"^ *def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)


def test_every_folder_of_the_architectures_list_exists() -> None:
    folders = re.findall(r"^\| `([\w./-]+/)` \|", section(ARCHITECTURE, "Layout"), re.MULTILINE)
    assert len(folders) >= 8
    for folder in folders:
        assert (ROOT / folder).is_dir(), folder


@pytest.mark.parametrize("adr", ADRS, ids=lambda path: path.stem)
def test_a_decision_record_has_its_four_parts(adr: Path) -> None:
    text = adr.read_text(encoding="utf-8")
    assert text.startswith(f"# {int(adr.name[:4])}. "), adr.name
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == ["Context", "Decision", "Consequences", "What would violate it"]


def test_decision_records_are_numbered_without_a_gap() -> None:
    assert [int(path.name[:4]) for path in ADRS] == list(range(1, len(ADRS) + 1))


def test_index_of_decisions_lists_each_record_once() -> None:
    index = (ROOT / "docs" / "adr" / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[(\d+)\]\((\S+)\) \| .+\. \|$", index, re.MULTILINE)
    assert sorted(name for _, name in listed) == [path.name for path in ADRS]
    assert all(name.startswith(f"{int(number):04}-") for number, name in listed)


def test_index_of_documents_lists_every_document() -> None:
    index = ROOT / "docs" / "index.md"
    links = _LINK.findall(index.read_text(encoding="utf-8"))
    listed = {(index.parent / link.partition("#")[0]).resolve() for link in links}
    assert {path for path in DOCUMENTS if path not in ADRS} - listed == {ROOT / "README.md", index}


def test_glossary_is_sorted_and_defines_each_term_once() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    states, terms = (
        re.findall(r"^\| \*\*(.+?)\*\* \| .+\. \|$", part, re.MULTILINE) for part in text.split("## Terms")
    )
    assert states == [
        "In sync",
        "Degraded",
        "Failing",
        "Syncing",
        "Queued",
        "Paused",
        "Never synced",
        "Disabled",
    ]
    assert terms == sorted(set(terms), key=str.lower)
    assert len(terms) + len(states) + 2 == len(re.findall(r"^\| [^-]", text, re.MULTILINE))


def test_the_continuous_integration_runs_the_test_command_of_the_readme() -> None:
    assert "make test" in section(README, "The two commands")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    lines = [line for line in script.splitlines() if line and not line.startswith(("#", "set ", "cd "))]
    assert lines == ["exec make test </dev/null"]


def test_the_version_is_the_same_in_the_project_and_the_change_log() -> None:
    project = re.search(
        r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE
    )
    newest = re.search(r"^## \[(\d.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert project
    assert newest
    assert project[1] == newest[1]


def words_of(document: Path) -> str:
    return document.read_text(encoding="utf-8")


@cache
def options_of_commands() -> dict[str, set[str]]:
    """The commands of manage.py with their options."""
    ours = (
        path
        for folder in (ROOT / "kiok", ROOT / "gitsync", Path(axes.__file__).parent)
        for path in folder.rglob("management/commands/[a-z]*.py")
    )
    return _OF_DJANGO | {path.stem: set(re.findall(r'"(--[a-z-]+)"', words_of(path))) for path in ours}


@cache
def variables() -> set[str]:
    """The variables of the environment that something reads."""
    scripts = " ".join(
        words_of(path) for folder in ("scripts", "tests") for path in (ROOT / folder).rglob("*.py")
    )
    read = re.findall(r"\"(KIOK_[A-Z_]+)\"", scripts)
    return {*read, *OTHER_VARIABLES, *(line.variable for line in TABLE.values())}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_is_named_exists_and_has_the_options(document: Path) -> None:
    text = words_of(document)
    for name, rest in _COMMAND.findall(text):
        assert name in options_of_commands(), f"{document.name}: manage.py {name}"
        options = set(_OPTION.findall(rest)) - {"--config"}
        assert options <= options_of_commands()[name], f"{document.name}: manage.py {name} {rest}"
    targets = re.findall(r"^([a-z-]+):", words_of(ROOT / "Makefile"), re.MULTILINE)
    for code in (*_CODE.findall(text), *_FENCE.findall(text)):
        for target in re.findall(r"^make ([a-z-]+)", code, re.MULTILINE):
            assert target in targets, f"{document.name}: make {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_property_and_variable_that_is_named_exists(document: Path) -> None:
    for code in _CODE.findall(words_of(document)):
        for file in _FILE.findall(code):
            assert any(ROOT.glob(file)), f"{document.name}: {file}"
        if re.fullmatch(r"kiok(\.[a-z]+)+", code) and code not in _NO_PROPERTIES:
            module = ROOT / code.replace(".", "/")
            is_there = code in TABLE or module.is_dir() or module.with_suffix(".py").is_file()
            assert is_there, f"{document.name}: {code}"
        for variable in re.findall(r"\bKIOK_[A-Z_]*[A-Z]\b", code):
            assert variable in variables(), f"{document.name}: {variable}"


def test_every_command_is_in_the_list_of_commands() -> None:
    cells = re.findall(r"^\| (`[^|]+) \|", words_of(COMMANDS), re.MULTILINE)
    listed = {code.partition(" ")[0] for cell in cells for code in _CODE.findall(cell)}
    assert options_of_commands().keys() - _OF_DJANGO.keys() <= listed


@pytest.mark.parametrize("folder", [OPERATE, RUNBOOKS], ids=lambda path: path.name)
def test_the_index_of_a_folder_links_each_of_its_pages(folder: Path) -> None:
    index = folder / "README.md"
    linked = {(folder / link).resolve() for link in re.findall(r"\]\(([^)#\s]+)", words_of(index))}
    assert set(folder.rglob("*.md")) - {index} <= linked


def wrapped_documents() -> list[Path]:
    """Return the pages of docs/, except those whose lines are still wider."""
    return [
        path for path in sorted(DOCS.rglob("*.md")) if path.relative_to(DOCS).parts[0] not in _NOT_WRAPPED
    ]


@pytest.mark.parametrize("document", wrapped_documents(), ids=lambda path: str(path.relative_to(DOCS)))
def test_no_line_of_a_document_is_wider_than_100_columns(document: Path) -> None:
    """Except rows of tables, code in fences, links that fill a line, and lines with a url."""
    fenced = False
    for number, line in enumerate(words_of(document).splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not (fenced or len(line) <= 100 or _MAY_BE_WIDE.search(line)):
            pytest.fail(f"docs/{document.relative_to(DOCS)}:{number}: {len(line)} columns")


@dataclass(frozen=True)
class Incident:
    """A symptom in the guide to incidents, and its fields by name: Meaning, Action, Fixed."""

    symptom: str
    fields: dict[str, str]

    @classmethod
    def of(cls, symptom: str, text: str) -> Incident:
        fields = re.findall(r"^- \*\*(\w+)\*\*.*?: (.+?)(?=\n\n|\n- |\n?\Z)", text, re.MULTILINE | re.DOTALL)
        return cls(symptom, {name: " ".join(value.split()) for name, value in fields})


def incidents() -> list[Incident]:
    """The symptoms in the guide, with their meaning, the action and what is printed when they are fixed."""
    parts = re.split(r"^(#{2,}) (.+)$", words_of(INCIDENTS), flags=re.MULTILINE)[1:]
    return [
        Incident.of(title, text)
        for level, title, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
        if level == "###"
    ]


def test_every_incident_has_an_action() -> None:
    for incident in incidents():
        assert "Action" in incident.fields, incident.symptom
        assert incident.fields.keys() <= {"Meaning", "Action", "Fixed"}, incident.symptom


def test_what_is_said_when_an_incident_is_over_is_what_the_service_says() -> None:
    said = " ".join(
        words_of(path)
        for folder in ("kiok", "gitsync", "compilers", "scripts")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".html", ".sh")
    )
    assert len(incidents()) > 50
    assert sum("Fixed" in incident.fields for incident in incidents()) > 30
    for incident in incidents():
        fixed = incident.fields.get("Fixed", "")
        for text in (*_CODE.findall(fixed), *re.findall(r'"([^"]+)"', fixed)):
            assert text in said, text


def test_every_reason_that_an_incident_has_is_one() -> None:
    known = {reason.value for enum in (GitReason, SyncReason, ConnectionReason) for reason in enum}
    for incident in incidents():
        for name in re.findall(r"`([a-z]+(?:_[a-z]+)+)`", incident.symptom):
            assert name in known, name
