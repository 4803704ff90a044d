"""Compilation of a Python file to DAGs and problems.

The file is run, so this must happen in a throwaway process: the child process of the sandbox, or the one that
`kiok.compile` starts for each file.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from os import PathLike, fspath
from pathlib import Path

from kiok.call_site import CallSite, compiling
from kiok.compiled import (
    CompiledFile,
    ImportedDags,
    bounded,
    imported_message,
    repeated_ids,
    repeated_message,
)
from kiok.creations import recording
from kiok.dag import Dag
from kiok.durations import DurationError, parse_duration
from kiok.errors import Diagnostic
from kiok.held_dags import HeldDags, held_dags, lost_message
from kiok.no_dag import no_dag_reason
from kiok.problems import LocatedProblem, without_echoes
from kiok.python_failure import Explain, describe
from kiok.python_module import ModuleLocation, importing_from, run_module
from kiok.source_encoding import encoding_flaw
from kiok.spec import DagSpec
from kiok.task import Task
from kiok.text import storable
from kiok.validation import authored_id, validate

MAX_MESSAGE = 4_000


def compile_python_file(
    path: str | PathLike[str],
    import_roots: Sequence[str | PathLike[str]] = (),
    explain: Explain | None = None,
) -> CompiledFile:
    """Run the Python file at `path` and compile every `Dag` that is assigned to a name of its module, each once.

    Imports find the standard library first, then the file's folder, then `import_roots` (the scanned
    subpath, the repository's root), then installed packages. `sys.path` and `sys.modules` are restored
    afterwards. The content of the file never raises an exception here: a module that cannot be run results in
    `import_failed` and the reason, to which `explain` may add. Diagnostics name the file as `path` does.

    A DAG that another file of the repository created is in `imported`; one that is assigned to no name is a problem.
    """
    place = ModuleLocation(fspath(path), tuple(fspath(root) for root in import_roots))
    try:
        source = Path(place.file).read_bytes()
    except OSError as exc:
        unread = Diagnostic(f"the file cannot be read: {exc.strerror}", place.file)
        return CompiledFile(diagnostics=(unread,), import_failed=True)
    if (flaw := encoding_flaw(source)) is not None:
        message, line = flaw
        return CompiledFile(diagnostics=(Diagnostic(message, place.file, line),), import_failed=True)
    with importing_from(place), compiling(place.file), recording() as created:
        try:
            namespace = run_module(source, place)
        except BaseException as exc:  # noqa: BLE001 - SystemExit and others are failures of the file too
            failure = describe(exc, sys.exc_info()[2], place, explain)
            return CompiledFile(diagnostics=(failure,), import_failed=True)
        return _compile(source, namespace, held_dags(namespace, created, place), place)


def _compile(
    source: bytes, namespace: dict[str, object], held: HeldDags, place: ModuleLocation
) -> CompiledFile:
    dags, problems = _compile_dags(held.own, place)
    if held.lost:
        problems.append(lost_message(held, namespace, place))
    imported = []
    for path, borrowed in held.imported.items():
        specs, found = _compile_dags(borrowed, place)
        imported.append(ImportedDags(path, specs, bounded(found)))
    not_a_dag: Diagnostic | None = None
    doubts: tuple[Diagnostic, ...] = ()
    if held.imported:
        counts = {path: len(borrowed) for path, borrowed in held.imported.items()}
        not_a_dag = Diagnostic(imported_message(counts), place.file)
    elif not held.own and not held.lost:
        reason, is_doubt = no_dag_reason(source, namespace, place)
        not_a_dag, doubts = (None, (reason,)) if is_doubt else (reason, ())
    return CompiledFile(dags, bounded(problems), not_a_dag=not_a_dag, doubts=doubts, imported=tuple(imported))


def _compile_dags(dags: Sequence[Dag], place: ModuleLocation) -> tuple[tuple[DagSpec, ...], list[Diagnostic]]:
    """Return the specs of the valid DAGs, and the problems of all."""
    compiled: list[tuple[DagSpec, Dag]] = []
    diagnostics: list[Diagnostic] = []
    ids: list[str | None] = []
    for dag in dags:
        try:
            wire, own = _wire(dag)
            ids.append(authored_id(wire))
            spec, problems = validate(wire)
            diagnostics += [_located(problem, dag, place) for problem in without_echoes(own, problems)]
        except BaseException as exc:  # noqa: BLE001 - reading a subclass of Dag may run any code
            failure = describe(exc, sys.exc_info()[2], place)
            diagnostics.append(
                Diagnostic(f"a DAG cannot be read: {failure.message}", place.file, failure.line)
            )
            continue
        if spec is not None and not own:
            compiled.append((spec, dag))
    repeated = repeated_ids(ids)
    for spec, dag in compiled:
        if spec.id in repeated:
            problem = LocatedProblem(repeated_message(repeated[spec.id]), spec.id, key="id")
            diagnostics.append(_located(problem, dag, place))
    return tuple(spec for spec, _dag in compiled if spec.id not in repeated), diagnostics


def _wire(dag: Dag) -> tuple[dict[str, object], list[LocatedProblem]]:
    """Return the unchecked DAG in wire form, and the problems that only its Python form can have."""
    problems: list[LocatedProblem] = []
    id_ = authored_id({"id": dag.id})
    durations, wrong = _milliseconds(
        defaultTimeoutMs=dag.default_timeout,
        catchupWindowMs=dag.catchup_window,
        retryDelayMs=dag.retry_delay,
    )
    problems += [LocatedProblem(message, id_, key=key, location=(key,)) for key, message in wrong]
    tasks = []
    for index, task in enumerate(dag.tasks):
        times, wrong = _milliseconds(timeoutMs=task.timeout, retryDelayMs=task.retry_delay)
        problems += [
            LocatedProblem(
                message, id_, authored_id({"id": task.id}), storable(key, 250), ("tasks", index, key)
            )
            for key, message in [*task._problems, *wrong]
        ]
        tasks.append(_task_wire(task, times))
    tags = dag.tags
    wire: dict[str, object] = {
        "id": dag.id,
        "name": dag.name,
        "description": dag.description,
        "schedule": dag.schedule,
        "catchup": dag.catchup,
        "owner": dag.owner,
        "tags": list(tags) if isinstance(tags, tuple) else tags,
        "timezone": dag.timezone,
        "maxActiveRuns": dag.max_active_runs,
        "overlap": dag.overlap,
        "params": _params_wire(dag.params),
        "retries": dag.retries,
        "tasks": tasks,
        **durations,
    }
    return wire, problems


def _task_wire(task: Task, durations: Mapping[str, int | None]) -> dict[str, object]:
    return {
        "id": task.id,
        "type": task.type,
        "script": task.script,
        "requires": task.requires,
        "config": task.config,
        "retries": task.retries,
        "runs": task.runs,
        "image": task.image,
        **durations,
    }


def _params_wire(params: object) -> object:
    """Return the parameters with dates as text and tuples as lists; validation reports other values."""
    if not isinstance(params, Mapping):
        return params
    return {
        name: {key: _plain(value) for key, value in param.items()} if isinstance(param, Mapping) else param
        for name, param in params.items()
    }


def _plain(value: object) -> object:
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) and not isinstance(value, datetime) else value


def _milliseconds(**durations: object) -> tuple[dict[str, int | None], list[tuple[str, str]]]:
    """Return the milliseconds of each wire key, None for an invalid duration, and (wire key, what is wrong)."""
    read: dict[str, int | None] = {}
    wrong = []
    for key, duration in durations.items():
        read[key] = None
        try:
            if duration is not None:
                read[key] = parse_duration(duration, allow_zero=key == "retryDelayMs")
        except DurationError as error:
            wrong.append((key, str(error)))
    return read, wrong


def _located(problem: LocatedProblem, dag: Dag, place: ModuleLocation) -> Diagnostic:
    """Return the problem as a diagnostic at the line of its `Dag(...)` or `dag.task(...)` call."""
    site: CallSite = dag._site
    match problem.location:
        case ("tasks", int(index), *_):
            site = dag.tasks[index]._site
    line = site.line_in_file
    message = problem.message
    if site.file != place.file:
        message = f"{message} (called at {place.name(site.file)}:{site.line})"
    return Diagnostic(
        storable(message, MAX_MESSAGE), place.file, line, None, problem.dag, problem.task, problem.key
    )
