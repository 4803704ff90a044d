"""Conversion of a YAML document to a DAG in wire form: spellings of keys, durations, and config values."""

from __future__ import annotations

from collections.abc import Mapping

from kiok.config_values import ConfigValueError, encode
from kiok.durations import DurationError, parse_duration
from kiok.problems import LocatedProblem, Location, Problems
from kiok.spelling import nearest
from kiok.text import flaw, shown
from kiok.validation import authored_id
from kiok.yaml_fault import Mark
from kiok.yaml_reader import YamlNode

# Every accepted spelling of a key, with its wire key.
_TIMEOUTS = {"timeout": "timeoutMs", "timeoutMs": "timeoutMs", "timeout_ms": "timeoutMs"}
_DEFAULT_TIMEOUTS = {
    "default_timeout": "defaultTimeoutMs",
    "defaultTimeout": "defaultTimeoutMs",
    "defaultTimeoutMs": "defaultTimeoutMs",
    "default_timeout_ms": "defaultTimeoutMs",
}
_RETRIES = {
    "retries": "retries",
    "retry_delay": "retryDelayMs",
    "retryDelay": "retryDelayMs",
    "retryDelayMs": "retryDelayMs",
    "retry_delay_ms": "retryDelayMs",
}
_FOR_RUNS = {
    "timezone": "timezone",
    "max_active_runs": "maxActiveRuns",
    "maxActiveRuns": "maxActiveRuns",
    "overlap": "overlap",
    "catchup_window": "catchupWindowMs",
    "catchupWindow": "catchupWindowMs",
    "catchupWindowMs": "catchupWindowMs",
    "catchup_window_ms": "catchupWindowMs",
    "params": "params",
    **_RETRIES,
}
# The spellings whose value is `<number><unit>` rather than milliseconds, and those of them that may be 0.
_MAY_BE_ZERO = frozenset({"retry_delay", "retryDelay"})
_DURATIONS = _MAY_BE_ZERO | {
    "timeout",
    "default_timeout",
    "defaultTimeout",
    "catchup_window",
    "catchupWindow",
}
DAG_SPELLINGS = {
    **{key: key for key in ("id", "name", "description", "schedule", "catchup", "owner", "tags")},
    **_DEFAULT_TIMEOUTS,
    **_FOR_RUNS,
}
TASK_SPELLINGS = {
    **{key: key for key in ("id", "type", "script", "requires", "config")},
    **_TIMEOUTS,
    **_RETRIES,
    **{key: key for key in ("runs", "image")},
}
SPELLINGS_FOR_RUNS = frozenset({*_FOR_RUNS, "runs", "image"})

# Names that other schedulers use for the same keys, too different to be found as misspellings.
_FOREIGN_TASK_KEYS = {
    **dict.fromkeys(
        ("depends_on", "dependson", "dependencies", "depends", "upstream", "needs", "after", "deps"),
        "requires",
    ),
    **dict.fromkeys(("command", "cmd", "bash", "bash_command", "run", "sql", "code", "exec", "sh"), "script"),
    **dict.fromkeys(("task_type", "tasktype", "kind", "operator", "executor"), "type"),
    **dict.fromkeys(("task_id", "taskid", "name", "key"), "id"),
    **dict.fromkeys(("execution_timeout", "timeoutsec", "timeout_seconds"), "timeout"),
    **dict.fromkeys(("env", "params", "with", "options", "settings"), "config"),
    **dict.fromkeys(("retry", "max_retries", "maxretries", "retry_count", "retrycount"), "retries"),
    **dict.fromkeys(("retry_interval", "retryinterval", "backoff"), "retry_delay"),
    **dict.fromkeys(("trigger_rule", "triggerrule", "run_on", "when"), "runs"),
    **dict.fromkeys(("container", "docker_image", "container_image"), "image"),
}
_FOREIGN_DAG_KEYS = {
    **dict.fromkeys(("cron", "schedule_interval", "trigger", "timetable"), "schedule"),
    **dict.fromkeys(("dag_id", "dagid"), "id"),
    **dict.fromkeys(("title", "display_name", "displayname"), "name"),
    **dict.fromkeys(("doc", "docs", "doc_md", "comment"), "description"),
    **dict.fromkeys(("timeout", "timeoutms"), "default_timeout"),
    **dict.fromkeys(("team", "maintainer", "owned_by"), "owner"),
    **dict.fromkeys(("labels", "label", "keywords"), "tags"),
    **dict.fromkeys(("tz", "time_zone"), "timezone"),
    **dict.fromkeys(("max_runs", "maxruns", "concurrency"), "max_active_runs"),
    **dict.fromkeys(("concurrency_policy", "concurrencypolicy"), "overlap"),
    **dict.fromkeys(("parameters", "args", "arguments", "inputs"), "params"),
    **dict.fromkeys(("default_retries", "defaultretries", "retry", "max_retries", "maxretries"), "retries"),
    **dict.fromkeys(("default_retry_delay", "defaultretrydelay", "retry_interval"), "retry_delay"),
}


# Keys that may also be at the top level, for a use of the author.
_FREE_AT_THE_TOP = frozenset({"id", "name", "description", "owner", "tags", *_FOR_RUNS})


class Places:
    """Places in the text of the values of a DAG in wire form."""

    def __init__(self) -> None:
        self._marks: dict[Location, Mark] = {}

    def put(self, location: Location, mark: Mark) -> None:
        self._marks.setdefault(location, mark)

    def of(self, location: Location) -> Mark:
        """Return the place of the value, or of the nearest enclosing value that has one."""
        while location not in self._marks:
            location = location[:-1]
        return self._marks[location]


def read_dag(root: YamlNode) -> tuple[object, Places, list[LocatedProblem]]:
    """Return the document's unchecked DAG in wire form, its places, and the problems of its YAML form."""
    dag_key, dag = root.entries["dag"]
    places, problems = Places(), Problems(authored_id(dag.value))
    places.put((), dag_key)
    if not isinstance(dag.value, dict):
        return dag.value, places, []
    wire = _Mapping(dag, (), places, problems).read(DAG_SPELLINGS, _FOREIGN_DAG_KEYS)
    _mark, tags = dag.entries.get("tags", (None, None))
    for index, tag in enumerate(tags.items if tags is not None else ()):
        places.put(("tags", index), tag.mark)
    _mark, params = dag.entries.get("params", (None, None))
    if params is not None:
        _place_params(params, places)
    if "tasks" in root.entries:
        mark, tasks = root.entries["tasks"]
        places.put(("tasks",), mark)
        wire["tasks"] = _tasks(tasks, places, problems)
    _check_top_level(root, places, problems)
    return wire, places, list(problems.all())


def _place_params(params: YamlNode, places: Places) -> None:
    for name, (mark, param) in params.entries.items():
        places.put(("params", name), mark)
        for key, (key_mark, value) in param.entries.items():
            nested = isinstance(value.value, list | dict)
            places.put(("params", name, key), key_mark if nested else value.mark)
            for index, item in enumerate(value.items if key == "choices" else ()):
                places.put(("params", name, key, index), item.mark)


def task_at(root: YamlNode, mark: Mark) -> str | None:
    """Return the id of the task whose text contains the place, if there is such a task and it has an id."""
    tasks_mark, tasks = root.entries.get("tasks", (mark, root))
    after = [other for other, _node in root.entries.values() if tasks_mark < other <= mark]
    before = [node for node in tasks.items if node.mark <= mark]
    return authored_id(before[-1].value) if before and not after else None


def _check_top_level(root: YamlNode, places: Places, problems: Problems) -> None:
    """Report keys that seem misplaced. All keys except `dag` and `tasks` are free, for example for anchors."""
    for key, (mark, _node) in root.entries.items():
        message = ""
        if key in DAG_SPELLINGS and key not in _FREE_AT_THE_TOP:
            message = f"{key!r} has no effect here; it belongs under 'dag:'"
        elif key not in ("dag", "tasks") and not problems.full and nearest(key, ("tasks",)):
            message = f"unknown key {shown(key)}; did you mean 'tasks'?"
        if message:
            places.put((key,), mark)
            problems.add(message, (key,), key="tasks" if "tasks" in message else key)


def _tasks(tasks: YamlNode, places: Places, problems: Problems) -> object:
    if not isinstance(tasks.value, list):
        return tasks.value
    return [_task(node, ("tasks", index), places, problems) for index, node in enumerate(tasks.items)]


def _task(node: YamlNode, location: Location, places: Places, problems: Problems) -> object:
    places.put(location, node.mark)
    if not isinstance(node.value, dict):
        return node.value
    task = _Mapping(node, location, places, problems, authored_id(node.value))
    wire = task.read(TASK_SPELLINGS, _FOREIGN_TASK_KEYS)
    _mark, requires = node.entries.get("requires", (None, None))
    if requires is not None:
        items = requires.items if isinstance(requires.value, list) else [requires]
        for index, item in enumerate(items):
            places.put((*location, "requires", index), item.mark)
        if isinstance(requires.value, str):
            wire["requires"] = [requires.value]
    _mark, config = node.entries.get("config", (None, None))
    if config is not None and isinstance(config.value, dict):
        wire["config"] = task.config(config)
    return wire


class _Mapping:
    """Reader of the mapping of a DAG or a task."""

    def __init__(
        self, node: YamlNode, location: Location, places: Places, problems: Problems, task: str | None = None
    ) -> None:
        self._node = node
        self._location = location
        self._places = places
        self._problems = problems
        self._task = task

    def read(self, spellings: Mapping[str, str], foreign: Mapping[str, str]) -> dict[str, object]:
        """Return the mapping with wire keys; an unknown key or a second spelling is omitted and reported."""
        wire: dict[str, object] = {}
        seen: dict[str, str] = {}
        for key, (mark, node) in self._node.entries.items():
            name = spellings.get(key)
            if name is None:
                self._unknown(key, mark, spellings, foreign)
            elif name in seen:
                message = f"{seen[name]!r} and {key!r} mean the same; keep one of them"
                self._wrong(message, mark, name)
            else:
                seen[name] = key
                nested = isinstance(node.value, list | dict)
                self._places.put((*self._location, name), mark if nested else node.mark)
                wire[name] = self._duration(key, name, node) if key in _DURATIONS else node.value
        return wire

    def config(self, node: YamlNode) -> dict[str, str]:
        """Return the task's config with its values as strings."""
        read: dict[str, str] = {}
        for name, (mark, value) in node.entries.items():
            nested = isinstance(value.value, list | dict)
            self._places.put((*self._location, "config", name), mark if nested else value.mark)
            try:
                read[name] = encode(value.value)
            except ConfigValueError as error:
                self._wrong(str(error), value.mark, name)
        return read

    def _duration(self, key: str, name: str, node: YamlNode) -> int | None:
        try:
            return None if node.value is None else parse_duration(node.value, allow_zero=key in _MAY_BE_ZERO)
        except DurationError as error:
            self._wrong(str(error), node.mark, name)
            return None

    def _unknown(
        self, key: str, mark: Mark, spellings: Mapping[str, str], foreign: Mapping[str, str]
    ) -> None:
        if key == "tasks" and not self._location:
            message = "'tasks' belongs at the top level of the file, next to 'dag:'"
        else:
            meant = foreign.get(key.lower()) or (None if self._problems.full else nearest(key, spellings))
            message = f"unknown key {shown(key)}; " + (
                f"did you mean {meant!r}?" if meant else f"allowed: {', '.join(dict.fromkeys(spellings))}"
            )
        self._wrong(message, mark, "tasks" if key == "tasks" else key)

    def _wrong(self, message: str, mark: Mark, key: str) -> None:
        location = (
            *self._location,
            f"{key} in line {mark.line}",
        )  # distinct from the location of a valid value
        self._places.put(location, mark)
        self._problems.add(message, location, task=self._task, key=None if flaw(key) else key)
