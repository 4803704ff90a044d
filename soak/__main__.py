"""`python -m soak`: random pushes and faults on the real service for minutes, compared with the reference model.

Exit status: 0 without violations, 1 with violations, 2 for a wrong command line.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kiok.server import marked_text
from soak import document
from soak.plan import Plan
from soak.service import ROOT, Service, environment

BUILD = ROOT / "build" / "soak"
RESULTS = "results.json"
TABLE = "results.md"


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    build: Path = options.into.resolve()  # urls are built from it as well
    if options.markdown:
        report = json.loads((build / RESULTS).read_text(encoding="utf-8"))
        marked_text.write(document.PATH, document.SECTION, document.markdown(report))
        _say(f"written into {document.PATH.relative_to(ROOT)}")
        return 0
    # Handle SIGTERM like Ctrl-C, so that everything is stopped on exit.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    plan = Plan.of(options.minutes * 60, options.repositories, options.seed, is_calm=options.calm)
    report = _soak(plan, build)
    (build / RESULTS).write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (build / TABLE).write_text(document.markdown(report) + "\n", encoding="utf-8")
    print(document.markdown(report))
    for line in report["violations"]:
        print(f"VIOLATION: {line}")
    _say(f"{len(report['violations'])} violations. Written to {build / RESULTS} and {TABLE}")
    return 1 if report["violations"] else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--minutes", type=_positive, default=10.0, help="minutes of pushes and faults (default: 10)"
    )
    parser.add_argument(
        "--repositories", type=int, default=200, metavar="N", help="number of repositories (default: 200)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="random seed of pushes and faults (default: 1)"
    )
    parser.add_argument(
        "--into", type=Path, default=BUILD, metavar="FOLDER", help="output folder (default: build/soak)"
    )
    parser.add_argument(
        "--calm", action="store_true", help="make no faults, to see whether any process grows on its own"
    )
    parser.add_argument(
        "--markdown", action="store_true", help="run nothing, write the last figures into docs/reliability.md"
    )
    options = parser.parse_args(arguments)
    if options.repositories < 1:
        parser.error(f"--repositories is {options.repositories}, but must be at least 1")
    return options


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def _soak(plan: Plan, build: Path) -> dict[str, Any]:
    folder = _new_folder(build)
    service = Service(folder, environment(folder, plan.interval_ms))
    for name in [name for name in os.environ if name.startswith(("KIOK_", "DJANGO_", "DATABASE_URL"))]:
        del os.environ[name]
    os.environ.update(service.environment)
    try:
        service.start_database()
        os.environ.update(service.environment)  # starting the database has set variables of its own
        return _run(plan, service)
    finally:
        service.stop()
        _close_connections()
        service.stop_database()
        shutil.rmtree(folder, ignore_errors=True)


def _run(plan: Plan, service: Service) -> dict[str, Any]:
    import django

    django.setup()
    from benchmarks import machine
    from soak.run import Soak

    soak = Soak(plan, service, _say)
    soak.run()
    return {"machine": machine.facts(), **soak.report()}


def _close_connections() -> None:
    from django.db import connections

    connections.close_all()


def _new_folder(build: Path) -> Path:
    """Create the folder for everything that this soak writes. It is private, since it contains a database."""
    folder = build / f"run-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    folder.mkdir(parents=True, mode=0o700)
    return folder


_BEGAN = time.monotonic()


def _say(text: str) -> None:
    print(f"soak: {time.monotonic() - _BEGAN:6.1f} s  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
