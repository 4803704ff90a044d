"""docs/authors: the examples compile, and the errors that it shows are those that are printed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from compilers.discovery import discover
from compilers.ignore_rules import MAX_IGNORE_FILE_BYTES, MAX_SECONDS
from kiok.yaml_dag import compile_yaml
from tests.support.authors_guide import (
    PAGES,
    compile_python,
    fences,
    in_one_line,
    page,
    repository,
    rows,
    run,
)
from tests.support.trees import MemoryTree


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
    assert [len(compiled.dags) for compiled in found] == [1, 0, 1], (
        "a DAG, a workflow, a DAG with keys for runs"
    )


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


def test_shown_yaml_errors_are_those_that_the_compiler_gives() -> None:
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
