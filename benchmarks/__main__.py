"""`python -m benchmarks [CASE...]`: run the cases, print a table, write the figures as JSON.

Exit status: 0 even if a target is missed, which is printed; 1 if a case fails, or with `--strict` if a target is missed; 2
for a wrong command line.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import document, machine
from benchmarks.case import Result
from benchmarks.table import missed, rich_table
from kiok.server import marked_text

DEFAULT_JSON = Path("build/bench/results.json")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    # Outside a terminal, rich assumes 80 columns, too few for the table.
    console = Console() if sys.stdout.isatty() else Console(width=150)
    if options.markdown:
        report = json.loads(options.json.read_text(encoding="utf-8"))
        marked_text.write(document.PATH, document.SECTION, document.figures(report))
        console.print(f"written into {document.PATH.name}")
        return 0
    # Handle SIGTERM like Ctrl-C, so that the database and the git daemon are stopped on exit.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    report = _run(options, console)
    results = [Result.from_json(item) for item in report["results"]]
    console.print(rich_table(results))
    console.print(
        "Medians unless stated otherwise, without warm-up runs. Only kiok isolates the files that it compiles."
    )
    console.print(f"Written to {options.json}", highlight=False)
    lines = missed(results)
    if options.quick:
        console.print("[yellow]--quick: the workloads were small, so the figures mean nothing.[/]")
    elif lines:
        console.print(f"[bold red]{len(lines)} target{'s' if len(lines) > 1 else ''} missed:[/]")
    else:
        console.print("[green]Every target is met.[/]")
    for line in lines:
        console.print(f"  {line}", highlight=False, soft_wrap=True)
    return 1 if (lines and options.strict) or report["failed"] else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    from benchmarks.cases import CASES

    parser = argparse.ArgumentParser(prog="benchmarks", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "cases", nargs="*", metavar="CASE", help=f"one or more of {', '.join(CASES)} (default: all)"
    )
    parser.add_argument(
        "--json",
        type=Path,
        default=DEFAULT_JSON,
        metavar="FILE",
        help=f"output file (default: {DEFAULT_JSON})",
    )
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a target is missed")
    parser.add_argument("--quick", action="store_true", help="small workloads, to check that the cases run")
    parser.add_argument("--runs", type=int, metavar="N", help="maximum number of measurements of each figure")
    parser.add_argument("--without-airflow", action="store_true", help="skip the comparison with Airflow")
    parser.add_argument(
        "--profile", action="store_true", help="also profile one sync, into build/bench/*.prof"
    )
    parser.add_argument(
        "--markdown",
        action="store_true",
        help="run nothing, write the figures of --json into docs/performance.md",
    )
    options = parser.parse_args(arguments)
    if unknown := set(options.cases) - set(CASES):
        parser.error(f"unknown case {', '.join(sorted(unknown))}. Known cases: {', '.join(CASES)}")
    return options


def _run(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    from benchmarks.bench import prepared
    from benchmarks.cases import CASES
    from benchmarks.worker import WorkerFailed

    report: dict[str, Any] = {
        "machine": machine.facts(),
        "quick": options.quick,
        "cases": {},
        "failed": [],
        "results": [],
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    with prepared(
        console,
        quick=options.quick,
        max_runs=options.runs,
        with_airflow=not options.without_airflow,
        keep_profile=options.profile,
    ) as bench:
        for name, measure in CASES.items():
            if options.cases and name not in options.cases:
                continue
            bench.enter(name)
            load, began = machine.load(), time.monotonic()
            try:
                for result in measure(bench):
                    report["results"].append(result.to_json())
            except (Exception, SystemExit) as exc:  # noqa: BLE001 - a failed case must not lose the figures of the others
                report["failed"].append(name)
                if not isinstance(exc, (SystemExit, WorkerFailed)):
                    console.print_exception()
                console.print(f"[bold red]{name} failed:[/] {exc}", highlight=False, soft_wrap=True)
            report["cases"][name] = {"load_before": load, "seconds": round(time.monotonic() - began, 1)}
            # Written after each case, so that an aborted run keeps its figures.
            text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
            options.json.write_text(text, encoding="utf-8")
    return report


if __name__ == "__main__":
    sys.exit(main())
