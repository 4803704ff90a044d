"""docs/authors: the examples compile, and the errors that it shows are those that are printed."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from compilers.discovery import discover
from compilers.formats import FORMATS
from compilers.ignore_rules import MAX_IGNORE_FILE_BYTES, MAX_SECONDS
from kiok import Dag, conn, secret
from kiok.compile import compile_python_file
from kiok.compiled import CompiledFile
from kiok.cron import CronError, check_cron
from kiok.durations import DurationError, parse_duration
from kiok.spec import TASK_TYPES, DagSpec, TaskSpec
from kiok.validation import REQUIRED_CONFIG
from kiok.yaml_dag import YamlLimits, compile_yaml
from kiok.yaml_document import DAG_SPELLINGS, TASK_SPELLINGS
from tests.support.trees import MemoryTree

ROOT = Path(__file__).resolve().parents[2]
JAVA = ROOT / "compilers" / "images" / "java"
AUTHORS = ROOT / "docs" / "authors"
# The first page first: its examples are those that the tests of the commands use.
PAGES = [AUTHORS / "index.md", *sorted(set(AUTHORS.glob("*.md")) - {AUTHORS / "index.md"})]
GUIDE = "\n".join(path.read_text(encoding="utf-8") for path in PAGES)
FENCES = re.findall(r"^```(\w*)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def fences(language: str) -> list[str]:
    return [text for name, text in FENCES if name == language]


def page(name: str) -> str:
    return (AUTHORS / f"{name}.md").read_text(encoding="utf-8")


def in_one_line(text: str) -> str:
    """Return the text without its line breaks."""
    return " ".join(text.split())


def rows(text: str) -> dict[str, list[str]]:
    """A table's rows: the name in the first cell to the other cells."""
    table: dict[str, list[str]] = {}
    for line in re.findall(r"^\| (`.*)\|$", text, re.MULTILINE):
        first, *rest = (cell.strip() for cell in line.split("|"))
        for name in re.findall(r"`([^`]+)`", first):
            table[name] = rest
    return table


def compile_python(text: str, folder: Path) -> CompiledFile:
    (folder / "example.py").write_text(text)
    return compile_python_file(str(folder / "example.py"), [str(folder)])


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A shell command as an author gives it, where `python3` has kiok installed."""
    (folder / "bin").mkdir(exist_ok=True)
    link = folder / "bin" / "python3"
    if not link.exists():
        link.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        link.chmod(0o755)
    path = f"{link.parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def repository(folder: Path, files: Mapping[str, str]) -> None:
    write(folder, files)
    for command in ("init -q .", "add ."):
        subprocess.run(["git", *command.split()], cwd=folder, check=True, capture_output=True)


def test_the_same_dag_three_times_is_the_same_dag(tmp_path: Path) -> None:
    shown = page("index")
    from_yaml = compile_yaml(re.findall(r"```yaml\n(.*?)```", shown, re.DOTALL)[0].encode(), "a.yaml")
    from_python = compile_python(re.findall(r"```python\n(.*?)```", shown, re.DOTALL)[0], tmp_path)
    assert (from_yaml.diagnostics, from_python.diagnostics) == ((), ())
    assert from_yaml.dags == from_python.dags
    assert [dag.id for dag in from_yaml.dags] == ["hourly_report"]


def test_every_python_example_compiles(tmp_path: Path) -> None:
    examples = fences("python")
    assert len(examples) >= 2
    for example in examples:
        compiled = compile_python(example, tmp_path)
        assert compiled.diagnostics == ()
        assert compiled.dags


def test_every_yaml_example_is_a_dag_or_no_dag_at_all() -> None:
    found = [compile_yaml(example.encode(), "example.yaml") for example in fences("yaml")]
    assert all(compiled.diagnostics == () for compiled in found)
    assert [len(compiled.dags) for compiled in found] == [1, 0], "the DAG, and the workflow that checks DAGs"


FAULTY = {
    "dags/report.yaml": """\
dag:
  id: report
tasks:
  - id: pull
    script: echo pull
  - id: publish
    type: http
    config: {url: "https://hooks.example/publish"}
    require: [pull]
    timeout: 90
""",
    "dags/regional.py": """\
from kiok import Dag

dag = Dag("regional")
dag.task("setup", script="prepare.sh")

dag.task("load", script="load.sh", requires="check")
dag.task("check", script="check.sh", requires="load")

dag.task("call", task_type="http", requires="setup")
""",
    "dags/old.py": """\
from kiok import Dag

import pandas
""",
}


def test_the_errors_that_are_shown_are_the_ones_that_are_printed(tmp_path: Path) -> None:
    repository(tmp_path, FAULTY)
    done = run(f"python3 -m kiok.compile --check {' '.join(FAULTY)}", tmp_path)
    assert done.returncode == 1
    (shown,) = (text for text in fences("") if "DAG 'report'" in text)
    assert done.stderr.splitlines() == shown.splitlines()


def test_the_errors_of_yaml_that_are_shown_are_those_that_the_compiler_gives() -> None:
    (shown,) = (text for text in fences("") if "not valid YAML" in text)
    sources = {
        "dags/a.yaml": "dag:\n  id: a\n  schedule: */5 * * * *\n",
        "dags/b.yaml": 'dag:\n  id: "b\ntasks:\n- {id: t, script: s}\n',
        "dags/c.yaml": "dag:\n  id: c\n\ntasks:\n- id: t\n  type: shell\n  script: echo a: b\n",
    }
    found = [
        str(item) for path, text in sources.items() for item in compile_yaml(text.encode(), path).diagnostics
    ]
    assert found == shown.splitlines()


def test_the_commands_that_are_shown_work_and_print_what_they_say(tmp_path: Path) -> None:
    python = fences("python")[0]
    repository(tmp_path, {"dags/a.py": python, "dags/b.yaml": fences("yaml")[0]})
    (shown,) = (text for text in fences("") if text.startswith("python3 -m kiok.compile"))
    specs, check, strict = (run(line, tmp_path) for line in shown.splitlines())
    assert [done.returncode for done in (specs, check, strict)] == [0, 0, 0]
    assert [done.stderr for done in (specs, check, strict)] == ["", "", ""]
    assert (check.stdout, strict.stdout) == ("2 files, 2 DAGs\n", "1 file, 1 DAG\n")
    (from_python,) = compile_python(python, tmp_path).dags
    assert json.loads(specs.stdout) == [from_python.to_json()] * 2
    assert run("python3 -m kiok.compile --wrong", tmp_path).returncode == 2


def test_the_options_on_the_check_page_are_those_of_the_command(tmp_path: Path) -> None:
    options = re.findall(r"^  +(--\w+)", run("python3 -m kiok.compile --help", tmp_path).stdout, re.MULTILINE)
    listed = {name.partition(" ")[0] for name in rows(page("check")) if name.startswith("--")}
    assert listed == set(options)


def test_every_page_is_listed_on_the_first_one() -> None:
    listed = re.findall(r"^\| \[[^]]+\]\((\S+)\) \|", page("index"), re.MULTILINE)
    assert sorted(listed) == sorted(path.name for path in PAGES[1:])


def ci_command() -> str:
    (step,) = (
        step["run"]
        for text in fences("yaml")
        for step in yaml.safe_load(text).get("jobs", {}).get("dags", {}).get("steps", [])
        if "kiok.compile" in step.get("run", "")
    )
    return str(step)


def test_the_line_for_continuous_integration_passes_a_good_repository(tmp_path: Path) -> None:
    good = {
        "dags/deep/with space.py": fences("python")[0],
        "dags/a.yml": fences("yaml")[0],
        "dags/helper.py": "X = 1\n",
        "setup.py": "import a_package_that_is_not_there\n",
        ".github/workflows/check.yml": fences("yaml")[1],
    }
    repository(tmp_path, good)
    done = run(ci_command(), tmp_path)
    assert (done.returncode, done.stdout) == (0, "3 files, 2 DAGs\n")
    (line,) = done.stderr.splitlines()
    assert line.startswith("dags/helper.py: not a DAG: ")


def test_the_line_for_continuous_integration_puts_problems_on_their_lines(tmp_path: Path) -> None:
    repository(
        tmp_path,
        {**FAULTY, "dags/deep/er.yaml": FAULTY["dags/report.yaml"], "setup.py": "import nothing_there"},
    )
    done = run(ci_command(), tmp_path)
    assert done.returncode != 0
    places = re.findall(r"^::error file=([^,]+),line=(\d+)", done.stderr, re.MULTILINE)
    assert sorted(places) == [
        ("dags/deep/er.yaml", "10"),
        ("dags/deep/er.yaml", "9"),
        ("dags/old.py", "3"),
        ("dags/regional.py", "6"),
        ("dags/regional.py", "9"),
        ("dags/report.yaml", "10"),
        ("dags/report.yaml", "9"),
    ]


def test_the_ignore_example_leaves_out_what_it_says() -> None:
    (example,) = (text for text in fences("") if text.startswith("tests/"))
    paths = ["a.yaml", "a_draft.yaml", "deep/b_draft.yaml", "tests/a.yaml"]
    tree = MemoryTree({**dict.fromkeys(paths, ""), ".kiokignore": example})
    assert [source.path for source in discover(tree).sources] == ["a.yaml"]
    text = in_one_line(page("files"))
    assert f"over {MAX_IGNORE_FILE_BYTES // 1024} KiB" in text
    assert f"more than {MAX_SECONDS:g} s" in text


def test_a_negation_in_the_ignore_example_has_an_effect() -> None:
    (example,) = (text for text in fences("") if text.startswith("tests/"))
    negated = [line[1:] for line in example.splitlines() if line.startswith("!")]
    assert negated
    tree = MemoryTree({**dict.fromkeys(negated, ""), ".kiokignore": example})
    assert [source.path for source in discover(tree).sources] == negated


def test_the_endings_that_are_read_are_named() -> None:
    text = page("files")
    assert set(re.findall(r"`\*(\.\w+)`", text)) == {
        suffix for item in FORMATS.values() for suffix in item.suffixes
    }


def test_the_tables_of_yaml_keys_name_every_key() -> None:
    dag, task = re.split(r"^\| in a task", page("yaml"), flags=re.MULTILINE)
    camel_or_snake = {"default_timeout_ms", "defaultTimeout", "timeout_ms"}  # the text says so of every key
    assert set(re.findall(r"`(\w+)`", dag)) >= set(DAG_SPELLINGS) - camel_or_snake
    assert set(rows(task)) | {"timeoutMs"} >= set(TASK_SPELLINGS) - camel_or_snake


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
    everywhere = {"self", "requires", "timeout", "config", "type"}
    assert named | everywhere == set(inspect.signature(getattr(Dag, name)).parameters) | everywhere


def test_the_signature_of_the_dag_is_shown_as_it_is() -> None:
    parameters = inspect.signature(Dag).parameters.values()
    text = ", ".join(p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in parameters)
    assert f"`Dag({text})`" in page("python")


@pytest.mark.parametrize("name", ["KiokDag", "Dag", "Task", "Conn"])
def test_the_table_of_the_java_sdk_names_every_public_member(name: str) -> None:
    source = (JAVA / f"sdk/src/com/cloudcheflabs/kiok/sdk/{name}.java").read_text(encoding="utf-8")
    members = re.findall(
        r"^    (?:public )?(?:static |final )*(?:Dag |Task |String )?(\w+)\(", source, re.MULTILINE
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
    common = {"self", "id", "requires", "timeout", "config", "sql", "script"}
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
    spec = DagSpec("a", "a", (TaskSpec("t"),)).to_json()
    assert list(rows(dag)) == list(spec)
    assert list(rows(task)) == list(spec["tasks"][0])
