"""The benchmark runner: its arithmetic and its tables, and that compared cases do the same work."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import authored, document
from benchmarks.__main__ import main
from benchmarks.case import Result, p95
from benchmarks.table import markdown_table, missed, rich_table, shown
from kiok.compile import compile_python_file, compile_yaml_file
from kiok.server import marked_text

SLOW = Result("cold", "1000 files", 3.0, "s", floor=1.5, floor_is="forks", target=1.9, runs=3)
FAST = Result("cold", "against Airflow", 16.0, "×", target=15.0, at_least=True)
TOLD = Result("jars", "wall time", 812.4, "ms")
REPORT = {
    "machine": dict.fromkeys(
        ("cores", "cpu", "memory_gib", "kernel", "docker", "python", "git", "commit"), "x"
    ),
    "results": [SLOW.to_json(), TOLD.to_json()],
}


def test_figure_is_compared_with_its_target_and_its_floor() -> None:
    assert (SLOW.ratio, SLOW.met) == (2.0, False)
    assert (FAST.ratio, FAST.met) == (None, True)
    assert (TOLD.ratio, TOLD.met) == (None, None)
    assert Result("c", "just so", 3.0, "s", floor=1.5, target=2.0).met
    assert Result("c", "a count", 2.0, "", target=2.0).met
    assert Result("c", "too few", 14.9, "×", target=15.0, at_least=True).met is False


@pytest.mark.parametrize("unit", ["s", "ms", "MiB", "cores"])
def test_figures_that_depend_on_the_machine_have_no_target(unit: str) -> None:
    with pytest.raises(ValueError, match=f"a target in {unit} needs a floor"):
        Result("c", "absolute", 2.0, unit, target=3.0)


def test_figure_keeps_its_ratio_and_verdict_in_json() -> None:
    written = json.loads(json.dumps(SLOW.to_json()))
    assert (written["ratio"], written["met"]) == (2.0, False)
    assert Result.from_json(written) == SLOW


@pytest.mark.parametrize(("count", "wanted"), [(1, 1), (19, 19), (20, 19), (25, 24), (100, 95)])
def test_percentile_95_is_the_nearest_rank(count: int, wanted: int) -> None:
    assert p95([float(value) for value in range(count, 0, -1)]) == wanted


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 s"), (0.0123, "0.012 s"), (1.234, "1.23 s"), (12.34, "12.3 s"), (1234.5, "1 234 s"), (7, "7 s")],
)
def test_figure_is_shown_with_its_significant_digits(value: float, text: str) -> None:
    assert shown(value, "s") == text


def test_table_names_each_case_once_and_shows_missed_targets() -> None:
    written = io.StringIO()
    Console(width=150, file=written).print(rich_table([SLOW, FAST, TOLD]))
    output = written.getvalue()
    assert output.count("cold") == 1
    assert "3 s" in output
    assert "MISSED" in output
    assert missed([SLOW, FAST, TOLD]) == ["cold: 1000 files: 3 s (2 × forks), target ≤ 1.90 ×"]


def test_markdown_table_has_a_row_for_each_figure() -> None:
    rows = markdown_table([SLOW, FAST, TOLD]).splitlines()[2:]
    assert rows == [
        "| cold | 1000 files | 3 s | 1.50 s | 2.00 | ≤ 1.90 × | MISSED |",
        "|  | against Airflow | 16 × |  |  | ≥ 15 × | met |",
        "| jars | wall time | 812 ms |  |  |  |  |",
    ]


def test_figures_fit_between_the_markers_of_the_document() -> None:
    text = document.PATH.read_text(encoding="utf-8")
    written = marked_text.replaced(text, document.SECTION, document.figures(REPORT))
    assert "| cold | 1000 files |" in written


def test_unknown_case_is_refused_with_the_known_names(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["cold", "warm"])
    assert refused.value.code == 2
    output = capsys.readouterr().err
    assert "unknown case warm. Known cases: cold, one-changed," in output


def test_python_and_yaml_cases_measure_the_same_dag(tmp_path: Path) -> None:
    specs = []
    for files, compiled in (
        (authored.python_files, compile_python_file),
        (authored.yaml_files, compile_yaml_file),
    ):
        [(path, content)] = files(1, first=7, word="second")
        file = tmp_path / Path(path).name
        file.write_bytes(content)
        [spec] = compiled(str(file)).dags
        specs.append(spec)
    assert specs[0] == specs[1]
    assert len(specs[0].tasks) == 5
    [(_, other)] = authored.yaml_files(1, first=7, word="third")
    assert other != content
