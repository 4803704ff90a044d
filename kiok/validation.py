"""All validation rules of a DAG; the only code that creates a `DagSpec` from untrusted data.

It runs where a DAG is compiled (for early errors with a location) and again on the host (the result of
untrusted code is itself untrusted). No step is recursive on the input.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from types import MappingProxyType
from typing import NamedTuple

from kiok.cron import CronError, check_cron
from kiok.fields import Fields
from kiok.graph import cycle_text, find_cycles
from kiok.image_reference import image_flaw
from kiok.params import read_params
from kiok.placeholders import TextKind, parse
from kiok.problems import LocatedProblem, Location, Problems
from kiok.spec import CONTAINER_TYPES, TASK_TYPES, DagSpec, TaskSpec
from kiok.spelling import did_you_mean
from kiok.text import flaw, shown
from kiok.timezones import timezone_flaw

MAX_TASKS = 10_000

# In the order of the compiled form.
DAG_KEYS = (
    *("id", "name", "description", "schedule", "catchup", "defaultTimeoutMs", "owner", "tags"),
    *("timezone", "maxActiveRuns", "overlap", "catchupWindowMs", "params", "retries", "retryDelayMs"),
    "tasks",
)
TASK_KEYS = (
    *("id", "type", "script", "requires", "timeoutMs", "config"),
    *("retries", "retryDelayMs", "runs", "image"),
)
_TASK_KEYS_FOR_RUNS = frozenset(TASK_KEYS[6:])
OVERLAPS = ("queue", "skip")
RUNS = ("on_success", "always")
MAX_ACTIVE_RUNS = 1_000
MAX_RETRIES = 1_000
MAX_RETRY_DELAY_MS = 3_600_000  # an hour; the delay doubles up to it
MAX_CATCHUP_WINDOW_MS = 3_650 * 86_400_000  # ten years

# Required config keys of each task type.
REQUIRED_CONFIG = {
    "http": ("url",),
    "livy": ("livy.url", "livy.file"),
    "trino": ("trino.url", "trino.user"),
    "ontul": ("ontul.url",),
    "python_callable": ("module", "callable"),
    "java": ("class",),
}
SCRIPT_TYPES = frozenset({"shell", "python", "trino", "ontul"})
SQL_TYPES = frozenset({"trino", "ontul"})  # tasks whose script is SQL
ONTUL_TYPES_WITHOUT_SCRIPT = frozenset({"CLASS", "PYTHON"})

_MAX_SUGGESTED = 10  # maximum of unknown ids with a suggestion: each is compared with all tasks

__all__ = ["DAG_KEYS", "TASK_KEYS", "LocatedProblem", "Location", "Validated", "validate"]


class Validated(NamedTuple):
    """Result of `validate`; `spec` is None exactly if there are `problems`."""

    spec: DagSpec | None
    problems: tuple[LocatedProblem, ...]


def validate(value: object) -> Validated:
    """Check an untrusted JSON-like value (a DAG in wire form) and create its `DagSpec`.

    Optional keys may be missing or null and get their defaults; unknown keys are problems. All problems are
    reported together: at most 200, and the number of the rest. Never raises for values made of dict, list,
    str, int, float, bool and None, of any size and nesting.
    """
    problems = Problems()
    if not isinstance(value, dict):
        problems.add(f"a DAG must be a mapping, found {shown(value)}")
        return Validated(None, problems.all())
    problems.dag = authored_id(value)
    dag = Fields(value, (), problems)
    dag.refuse_unknown(DAG_KEYS)
    id_ = dag.identifier()
    name = dag.text("name", blank=False)
    description = dag.text("description")
    schedule = dag.text("schedule")
    if schedule is not None:
        try:
            check_cron(schedule)
        except CronError as error:
            dag.wrong("schedule", str(error))
    catchup = dag.flag("catchup")
    timeout = dag.milliseconds("defaultTimeoutMs")
    owner = dag.owner()
    tags = dag.tags()
    zone = dag.checked("timezone", timezone_flaw)
    max_active_runs = dag.whole_number("maxActiveRuns", 1, MAX_ACTIVE_RUNS)
    overlap = dag.word("overlap", OVERLAPS)
    window = dag.milliseconds("catchupWindowMs", high=MAX_CATCHUP_WINDOW_MS)
    if window is not None and not catchup and not dag.bad("catchup"):
        dag.wrong("catchupWindowMs", "has an effect only with 'catchup'; set 'catchup' to true, or remove it")
    params = read_params(dag, problems)
    retries, retry_delay = _retries(dag)
    tasks = _tasks(dag, problems)
    if problems or id_ is None:
        return Validated(None, problems.all())
    return Validated(
        DagSpec(
            id=id_,
            name=id_ if name is None else name,
            tasks=tuple(tasks),
            description=description,
            schedule=schedule,
            catchup=catchup,
            default_timeout_ms=timeout,
            owner=owner,
            tags=tags,
            timezone=zone,
            max_active_runs=max_active_runs,
            overlap=overlap,
            catchup_window_ms=window,
            params=params,
            retries=retries,
            retry_delay_ms=retry_delay,
        ),
        (),
    )


def _retries(fields: Fields) -> tuple[int | None, int | None]:
    """Return the retries and their delay, of a task or of all tasks of a DAG."""
    retries = fields.whole_number("retries", 0, MAX_RETRIES)
    return retries, fields.milliseconds("retryDelayMs", 0, MAX_RETRY_DELAY_MS)


def authored_id(value: object) -> str | None:
    """Return the id of a DAG or task as its author wrote it, if it is text that can be shown."""
    found = value.get("id") if isinstance(value, dict) else None
    return str.__str__(found)[:250] if isinstance(found, str) and found and not flaw(found) else None


def _tasks(dag: Fields, problems: Problems) -> list[TaskSpec]:
    values = dag.value.get("tasks")
    if values is None:
        problems.add("a DAG needs a list of tasks, at least one", key="tasks")
        return []
    if not isinstance(values, list):
        dag.wrong("tasks", f"must be a list of tasks, found {shown(values)}")
        return []
    if not 1 <= len(values) <= MAX_TASKS:
        dag.wrong("tasks", f"a DAG has 1 to {MAX_TASKS} tasks, found {len(values)}")
        return []
    params = dag.value.get("params")
    declared = (
        frozenset(name for name in params if isinstance(name, str))
        if isinstance(params, dict)
        else frozenset()
    )
    tasks = [_task(value, ("tasks", index), problems, declared) for index, value in enumerate(values)]
    _check_graph(tasks, problems)
    return [task for task in tasks if task is not None]


def _task(value: object, location: Location, problems: Problems, params: Collection[str]) -> TaskSpec | None:
    """Return the task with its valid fields, so that the graph is checked too; None without a usable id."""
    if not isinstance(value, dict):
        problems.add(f"a task must be a mapping, found {shown(value)}", location, key="tasks")
        return None
    task = Fields(value, location, problems, task=authored_id(value))
    task.refuse_unknown(TASK_KEYS)
    id_ = task.identifier()
    type_ = task.text("type")
    if type_ is not None and type_ not in TASK_TYPES:
        near = did_you_mean(type_, TASK_TYPES)
        task.wrong("type", f"{shown(type_)} is not a task type; allowed: {', '.join(TASK_TYPES)}{near}")
    type_ = "shell" if type_ is None else type_
    script = task.text("script")
    requires = task.identifiers("requires")
    timeout = task.milliseconds("timeoutMs")
    config = task.strings("config")
    _check_placeholders(task, type_, script, config, params)
    if not task.bad("type"):
        _check_needs(task, type_, script, config)
    # Most tasks have none of these keys.
    keys_for_runs = () if _TASK_KEYS_FOR_RUNS.isdisjoint(value) else _read_keys_for_runs(task, type_)
    if id_ is None:
        return None
    return TaskSpec(id_, type_, script, requires, timeout, MappingProxyType(config), *keys_for_runs)


def _read_keys_for_runs(task: Fields, type_: str) -> tuple[int | None, int | None, str | None, str | None]:
    """Return retries, their delay, when the task runs, and its image."""
    retries, retry_delay = _retries(task)
    runs = task.word("runs", RUNS)
    image = task.checked("image", _image_flaw)
    if image is not None and type_ not in CONTAINER_TYPES and not task.bad("type"):
        types = ", ".join(CONTAINER_TYPES)
        task.wrong("image", f"a task of type {type_} runs in no container; allowed with the types {types}")
    return retries, retry_delay, runs, image


def _image_flaw(text: str) -> str | None:
    reason = image_flaw(text)
    return f"{shown(text)} cannot be used: {reason}" if reason else None


def _check_placeholders(
    task: Fields, type_: str, script: str | None, config: dict[str, str], params: Collection[str]
) -> None:
    """Check references, arguments and dates; whether a connection exists is known only when the task runs."""
    kind = TextKind.SQL if type_ in SQL_TYPES else TextKind.SCRIPT
    for message in parse(script or "", kind, params).problems:
        task.wrong("script", message)
    for key, value in config.items():
        for message in parse(value, TextKind.CONFIG, params).problems:
            task.wrong("config", message, key)


def _check_needs(task: Fields, type_: str, script: str | None, config: dict[str, str]) -> None:
    """Check the script and the config keys that a task of this type requires."""
    scripted = type_ in SCRIPT_TYPES
    if type_ == "ontul":
        scripted = config.get("ontul.jobType") not in ONTUL_TYPES_WITHOUT_SCRIPT
    if scripted and not task.bad("script") and (script is None or not script.strip()):
        unless = " unless its config 'ontul.jobType' is CLASS or PYTHON" if type_ == "ontul" else ""
        found = "none" if script is None else "a blank one"
        task.wrong("script", f"a task of type {type_} needs a script{unless}, found {found}")
    if task.bad("config"):
        return
    needed = REQUIRED_CONFIG.get(type_, ())
    for key in needed:
        if key not in config:
            others = [other for other in config if other not in needed]
            near = did_you_mean(key, others).replace("did you mean", "is it misspelled as")
            task.missing("config", key, f"a task of type {type_} needs the config key {key!r}{near}")
        elif not config[key].strip():
            task.wrong("config", "must not be blank", key)


def _check_graph(tasks: Sequence[TaskSpec | None], problems: Problems) -> None:
    first: dict[str, int] = {}
    for index, task in enumerate(tasks):
        if task is None:
            continue
        if task.id in first:
            message = f"the id is already that of task {first[task.id] + 1} of this DAG; ids are unique"
            problems.add(message, ("tasks", index, "id"), task=task.id, key="id")
        else:
            first[task.id] = index
    complete = None not in tasks
    suggested = 0
    edges: dict[str, list[str]] = {id_: [] for id_ in first}
    for index, task in enumerate(tasks):
        if task is None:
            continue
        seen: set[str] = set()
        for position, required in enumerate(task.requires):
            message = ""
            if required in seen:
                message = f"{shown(required)} is listed twice"
            elif required == task.id:
                message = "a task cannot require itself"
            elif required in first:
                edges[task.id].append(required)
            # Not if a task's own id is invalid: it may be the required one, and its own problem is reported.
            elif complete:
                message = f"no task of this DAG has the id {shown(required)}"
                if suggested < _MAX_SUGGESTED:
                    suggested += 1
                    message += did_you_mean(required, first)
            seen.add(required)
            if message:
                location = ("tasks", index, "requires", position)
                problems.add(message, location, task=task.id, key="requires")
    for cycle in find_cycles(edges):
        message = f"the tasks require each other in a cycle: {cycle_text(cycle)}"
        problems.add(message, ("tasks", first[cycle[0]], "requires"), task=cycle[0], key="requires")
