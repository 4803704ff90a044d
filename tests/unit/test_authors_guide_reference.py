"""The tables, limits and signatures in docs/authors are those of the code."""

from __future__ import annotations

import inspect
import re

import pytest

from compilers.formats import FORMATS
from kiok import Dag, conn, secret
from kiok.cron import CronError, check_cron
from kiok.date_patterns import LETTERS
from kiok.durations import DurationError, parse_duration
from kiok.params import PARAM_KEYS, PARAM_TYPES
from kiok.placeholders import forms
from kiok.spec import TASK_TYPES
from kiok.validation import DAG_KEYS, REQUIRED_CONFIG, TASK_KEYS
from kiok.yaml_dag import YamlLimits
from kiok.yaml_document import DAG_SPELLINGS, SPELLINGS_FOR_RUNS, TASK_SPELLINGS
from tests.support.authors_guide import JAVA, in_one_line, page, rows

OTHER_SPELLINGS = frozenset(
    {key for key in SPELLINGS_FOR_RUNS if not key.islower()} | {"catchup_window_ms", "retry_delay_ms"}
)


def test_the_endings_that_are_read_are_named() -> None:
    text = page("files")
    assert set(re.findall(r"`\*(\.\w+)`", text)) == {
        suffix for item in FORMATS.values() for suffix in item.suffixes
    }


def test_the_tables_of_yaml_keys_name_every_key() -> None:
    dag, task = re.split(r"^\| in a task", page("yaml"), flags=re.MULTILINE)
    # The text says of every key that it may be written in snake_case and camelCase.
    unwritten = {"default_timeout_ms", "defaultTimeout", "timeout_ms"}
    unwritten |= {"catchupWindow", "catchup_window_ms", "retryDelay", "retry_delay_ms"}
    assert set(re.findall(r"`(\w+)`", dag)) >= set(DAG_SPELLINGS) - unwritten
    assert set(re.findall(r"`(\w+)`", task)) >= set(TASK_SPELLINGS) - unwritten


def test_the_limits_of_yaml_are_those_of_the_reader() -> None:
    limits = YamlLimits()
    (item,) = re.findall(r"^- Limits:.*?(?=^- |^$)", page("yaml"), re.MULTILINE | re.DOTALL)
    line = in_one_line(item)
    for part in (
        "1 MiB",
        "50 levels",
        "200 000 values",
        "4 Mi characters",
        "1 000 aliases",
        "1 000 documents",
    ):
        assert part in line
    assert (limits.max_bytes, limits.max_depth, limits.max_aliases) == (1 << 20, 50, 1_000)


@pytest.mark.parametrize("name", [name for name in vars(Dag) if not name.startswith("_")])
def test_the_signatures_of_python_name_every_parameter(name: str) -> None:
    shown = re.search(rf"`dag\.{name}\((.*?)\)`", page("python"), re.DOTALL)
    assert shown
    named = set(
        re.findall(r"\b([a-z][a-z0-9_]*)\b(?=[=,)\s]|$)", re.sub(r'="[^"]*"|=None', "=", shown[1]))
    ) - {"or"}
    everywhere = {"self", "requires", "timeout", "config", "type", "retries", "retry_delay", "runs"}
    assert named | everywhere == set(inspect.signature(getattr(Dag, name)).parameters) | everywhere


def test_the_signature_of_the_dag_is_shown_as_it_is() -> None:
    parameters = inspect.signature(Dag).parameters.values()
    text = ", ".join(p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in parameters)
    assert f"`Dag({text})`" in in_one_line(page("python"))


@pytest.mark.parametrize("name", ["KiokDag", "Dag", "Task", "Conn", "Param"])
def test_the_table_of_the_java_sdk_names_every_public_member(name: str) -> None:
    source = (JAVA / f"sdk/src/com/cloudcheflabs/kiok/sdk/{name}.java").read_text(encoding="utf-8")
    members = re.findall(
        r"^    (?:public )?(?:static |final )*(?:Dag |Task |String |Param )?(\w+)\(", source, re.MULTILINE
    )
    public = {m for m in members if re.search(rf"^    public [^;{{=]*\b{m}\(", source, re.MULTILINE)}
    if name == "KiokDag":
        public = {"define"}
    (row,) = (
        line for line in page("java").splitlines() if re.match(rf"\| `(class|interface) {name}` \|", line)
    )
    documented = set(re.findall(r"(\w+)\(", row))
    assert documented == public


@pytest.mark.parametrize(
    ("file", "constant", "shown"),
    [
        ("driver/src/com/cloudcheflabs/kiok/driver/JarScan.java", "MAX_ENTRIES = 50_000;", "50 000 entries"),
        ("driver/src/com/cloudcheflabs/kiok/driver/JarScan.java", "MAX_CLASS_BYTES = 16 << 20;", "16 MiB"),
        ("jar_child/work.py", "MAX_CLASSES = 10_000\n", "10 000 DAG classes"),
    ],
)
def test_the_limits_of_jars_are_those_of_the_driver(file: str, constant: str, shown: str) -> None:
    assert constant in (JAVA / file).read_text(encoding="utf-8")
    assert shown in in_one_line(page("java"))


def test_the_table_of_task_types_names_each_with_what_it_needs() -> None:
    table = rows(page("tasks"))
    types = {name: cells for name, cells in table.items() if len(cells) == 2}
    assert set(types) == set(TASK_TYPES)
    for type_, keys in REQUIRED_CONFIG.items():
        assert set(re.findall(r"`([^`]+)`", types[type_][0])) >= set(keys)


@pytest.mark.parametrize("name", ["http", "livy", "trino", "ontul"])
def test_the_table_of_task_types_names_every_config_key_of_the_builders(name: str) -> None:
    builder = getattr(Dag, name)
    dag = Dag("d")
    common = {
        "self",
        "id",
        "requires",
        "timeout",
        "config",
        "sql",
        "script",
        "retries",
        "retry_delay",
        "runs",
    }
    given = {p: "v" for p in inspect.signature(builder).parameters if p not in common}
    task = builder(dag, "t", **given, **({"sql": "s"} if name == "trino" else {}))
    needs, keys = rows(page("tasks"))[name]
    assert set(re.findall(r"`([\w.]+)`", needs + keys)) - {"script"} >= set(task.config)


def test_the_durations_and_references_that_are_shown_are_right() -> None:
    text = page("tasks")
    shown = re.search(r"or `d`: `(\w+)`, `([\d.]+\w)`", text)
    assert shown
    assert (parse_duration(shown[1]), parse_duration(shown[2])) == (90_000, 5_400_000)
    with pytest.raises(DurationError, match="no unit"):
        parse_duration(90)
    assert conn("<id>", "<key>") in text
    assert secret("<name>") in text


@pytest.mark.parametrize("schedule", ["@daily", "0 0 30 2 *"])
def test_schedules_that_are_said_to_be_refused_are(schedule: str) -> None:
    with pytest.raises(CronError):
        check_cron(schedule)


def test_the_compiled_form_has_the_keys_of_a_spec() -> None:
    dag, task = page("compiled-form").split("| key of a task |")
    assert tuple(rows(dag)) == DAG_KEYS
    assert tuple(rows(task)) == TASK_KEYS


def test_the_tables_of_keys_for_runs_name_every_key() -> None:
    dag, task, param = re.split(r"^\| key of a (?:task|parameter) \|", page("runs"), flags=re.MULTILINE)
    assert set(rows(dag)) - {"day"} >= SPELLINGS_FOR_RUNS & set(DAG_SPELLINGS) - OTHER_SPELLINGS
    assert set(rows(task)) == SPELLINGS_FOR_RUNS & set(TASK_SPELLINGS) - OTHER_SPELLINGS
    assert tuple(name for name in rows(param) if name in PARAM_KEYS) == PARAM_KEYS
    for type_ in PARAM_TYPES:
        assert f"`{type_}`" in rows(param)["type"][0]


def test_the_tables_of_dates_name_every_function_and_letter() -> None:
    text = page("runs")
    assert re.findall(r"^\| `(#\{.*\})` \|", text, re.MULTILINE) == forms().split(", #")[:1] + [
        f"#{form}" for form in forms().split(", #")[1:]
    ]
    letters = text.partition("| letters | meaning |")[2].partition("\n\n")[0]
    cells = [line.split("|")[1] for line in letters.splitlines()[2:]]
    assert set("".join(re.findall(r"`(\w+)`", " ".join(cells)))) == set(LETTERS)
