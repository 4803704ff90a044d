"""`python -m benchmarks [CASE...]`: run the cases, print a table, write the figures as JSON.

Exit status: 0 also where a target is missed, which is said; 1 for that with `--strict`, or where a case fails; 2 for a
wrong command line.
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

DEFAULT_JSON = Path("build/bench/results.json")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    # Not in a terminal, rich takes 80 columns, too few for the table.
    console = Console() if sys.stdout.isatty() else Console(width=150)
    if options.markdown:
        document.write(json.loads(options.json.read_text(encoding="utf-8")))
        console.print(f"written into {document.PATH.name}")
        return 0
    # As by Ctrl-C: the database and the git daemon are stopped on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    report = _run(options, console)
    results = [Result.from_json(item) for item in report["results"]]
    console.print(rich_table(results))
    console.print(
        "Medians, or what is named; runs to warm up are left out. Only our side isolates the files it compiles."
    )
    console.print(f"Written to {options.json}", highlight=False)
    lines = missed(results)
    if options.quick:
        console.print("[yellow]--quick: everything was small, so the figures mean nothing.[/]")
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
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; default: all")
    parser.add_argument(
        "--json", type=Path, default=DEFAULT_JSON, metavar="FILE", help=f"default: {DEFAULT_JSON}"
    )
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a target is missed")
    parser.add_argument("--quick", action="store_true", help="everything small: does it run at all")
    parser.add_argument("--runs", type=int, metavar="N", help="at most so many measurements of each figure")
    parser.add_argument("--without-airflow", action="store_true", help="no comparison with Airflow")
    parser.add_argument(
        "--profile", action="store_true", help="profile one sync besides, into build/bench/*.prof"
    )
    parser.add_argument(
        "--markdown",
        action="store_true",
        help="run nothing: put the figures of --json into docs/performance.md",
    )
    options = parser.parse_args(arguments)
    if unknown := set(options.cases) - set(CASES):
        parser.error(f"there is no case {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
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
            except (Exception, SystemExit) as exc:  # noqa: BLE001 - one case must not cost the others' figures
                report["failed"].append(name)
                if not isinstance(exc, (SystemExit, WorkerFailed)):
                    console.print_exception()
                console.print(f"[bold red]{name} failed:[/] {exc}", highlight=False, soft_wrap=True)
            report["cases"][name] = {"load_before": load, "seconds": round(time.monotonic() - began, 1)}
            # After each, so that a run that is broken off leaves what it has.
            text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
            options.json.write_text(text, encoding="utf-8")
    return report


if __name__ == "__main__":
    sys.exit(main())
