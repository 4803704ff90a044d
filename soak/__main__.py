"""`python -m soak`: minutes of random pushes and faults on the real service, held to the reference model.

Exit status: 0 if nothing was wrong, 1 if anything was, 2 for a wrong command line.
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

from soak import document
from soak.plan import Plan
from soak.service import ROOT, Service, environment

BUILD = ROOT / "build" / "soak"
RESULTS = "results.json"
TABLE = "results.md"


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    build: Path = options.into.resolve()  # also urls are made of it
    if options.markdown:
        document.write(json.loads((build / RESULTS).read_text(encoding="utf-8")))
        _say(f"written into {document.PATH.relative_to(ROOT)}")
        return 0
    # As by Ctrl-C: everything is stopped on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    plan = Plan.of(options.minutes * 60, options.repositories, options.seed, is_calm=options.calm)
    report = _soak(plan, build)
    (build / RESULTS).write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (build / TABLE).write_text(document.markdown(report) + "\n", encoding="utf-8")
    print(document.markdown(report))
    for line in report["violations"]:
        print(f"VIOLATION: {line}")
    _say(f"{len(report['violations'])} violations; written to {build / RESULTS} and {TABLE}")
    return 1 if report["violations"] else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=_positive, default=10.0, help="of pushes and faults; default: 10")
    parser.add_argument("--repositories", type=int, default=200, metavar="N", help="default: 200")
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="of what is pushed and goes wrong; default: 1"
    )
    parser.add_argument("--into", type=Path, default=BUILD, metavar="FOLDER", help="default: build/soak")
    parser.add_argument(
        "--calm", action="store_true", help="no faults: to see whether anything grows by itself"
    )
    parser.add_argument(
        "--markdown", action="store_true", help="run nothing: put the last figures into docs/reliability.md"
    )
    options = parser.parse_args(arguments)
    if options.repositories < 1:
        parser.error(f"--repositories is {options.repositories}; at least 1 is needed")
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
        os.environ.update(service.environment)  # starting it has named its own
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
    """A folder for everything that this soak has; private, since it holds a database."""
    folder = build / f"run-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    folder.mkdir(parents=True, mode=0o700)
    return folder


_BEGAN = time.monotonic()


def _say(text: str) -> None:
    print(f"soak: {time.monotonic() - _BEGAN:6.1f} s  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
