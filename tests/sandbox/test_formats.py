"""The same DAG in YAML, Python and Java gives the same bytes.

formats/ is the table: `some_dag.yaml`, `some_dag.py` and `SomeDag.java` are one row. They are compiled as
in the service, and the other tests check that the rows omit nothing.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from compilers.result import FileResult, FileStatus
from compilers.sandbox.docker import DockerSandbox
from kiok import Dag, conn, secret
from kiok.params import PARAM_KEYS, PARAM_TYPES
from kiok.spec import TASK_TYPES, DagSpec, TaskSpec
from kiok.validation import DAG_KEYS, TASK_KEYS
from kiok.yaml_dag import compile_yaml
from kiok.yaml_document import DAG_SPELLINGS, TASK_SPELLINGS
from tests.sandbox.javac import compile_jar
from tests.support.compilation import compile_tree
from tests.support.trees import MemoryTree

FORMATS = Path(__file__).parent / "formats"
SDK = Path(__file__).resolve().parents[2] / "compilers/images/java/sdk/src/com/cloudcheflabs/kiok/sdk"
ROWS = sorted(path.stem for path in FORMATS.glob("*.yaml"))
BUILDERS = sorted(name for name in vars(Dag) if not name.startswith("_") and name != "task")


def class_of(row: str) -> str:
    return "".join(part.title() for part in row.split("_"))


def text(row: str, kind: str) -> str:
    name = f"{class_of(row)}.java" if kind == "jar" else f"{row}.{'py' if kind == 'python' else 'yaml'}"
    return (FORMATS / name).read_text(encoding="utf-8")


def specs() -> list[DagSpec]:
    """Return every row's DAG, as defined in YAML; the first test checks that the other formats agree."""
    return [compile_yaml(text(row, "yaml").encode(), row).dags[0] for row in ROWS]


@pytest.fixture(scope="module")
def compiled(sandbox: DockerSandbox, java_builder_image: str) -> dict[str, FileResult]:
    """Compile one commit with all rows, their Java in one jar. Return the results by path."""
    sources = {f"{class_of(row)}.java": text(row, "jar") for row in ROWS}
    files: dict[str, bytes | str] = {"lib/all.jar": compile_jar(sources)}
    for row in ROWS:
        files[f"{row}.yaml"] = text(row, "yaml")
        files[f"{row}.py"] = text(row, "python")
    compilation = compile_tree(MemoryTree(files), sandbox=sandbox)
    assert [str(problem) for file in compilation.failed for problem in file.diagnostics] == []
    results = {file.source.path: file for file in compilation.files}
    assert sorted(results) == sorted(files)
    assert {file.status for file in compilation.files} == {FileStatus.COMPILED}
    return results


@pytest.mark.parametrize("row", ROWS)
def test_yaml_python_and_java_give_the_same_bytes(row: str, compiled: dict[str, FileResult]) -> None:
    (from_yaml,) = compiled[f"{row}.yaml"].dags
    (from_python,) = compiled[f"{row}.py"].dags
    (from_java,) = (dag for dag in compiled["lib/all.jar"].dags if dag.id == row)
    assert from_yaml.id == row
    assert from_python.canonical_json() == from_yaml.canonical_json()
    assert from_java.canonical_json() == from_yaml.canonical_json()
    assert from_java.sha256 == from_python.sha256 == from_yaml.sha256


def test_endings_in_upper_case_are_compiled_like_the_others(
    sandbox: DockerSandbox, java_builder_image: str
) -> None:
    row = ROWS[0]
    files: dict[str, bytes | str] = {
        "lib/UPPER.JAR": compile_jar({f"{class_of(row)}.java": text(row, "jar")}),
        "UPPER.PY": text(row, "python"),
        "Mixed.Yml": text(row, "yaml"),
        "broken.Jar": b"no archive",
    }
    compilation = compile_tree(MemoryTree(files), sandbox=sandbox)
    assert [file.source.path for file in compilation.failed] == ["broken.Jar"]
    hashes = {dag.sha256 for file in compilation.files for dag in file.dags}
    assert [len(file.dags) for file in compilation.files if file.status is FileStatus.COMPILED] == [1, 1, 1]
    assert len(hashes) == 1


def test_the_jar_gives_the_rows_and_nothing_else(compiled: dict[str, FileResult]) -> None:
    assert sorted(dag.id for dag in compiled["lib/all.jar"].dags) == ROWS


def test_every_row_is_written_in_all_three() -> None:
    assert ROWS
    assert sorted(path.stem for path in FORMATS.glob("*.py")) == ROWS
    assert sorted(path.stem for path in FORMATS.glob("*.java")) == sorted(map(class_of, ROWS))


def test_the_rows_hold_every_key_of_a_dag_and_of_a_task_given_and_left_out() -> None:
    dags = [dag.to_json() for dag in specs()]
    tasks = [task for dag in dags for task in dag["tasks"]]
    assert set().union(*dags) == set(DAG_KEYS)
    assert set().union(*tasks) == set(TASK_KEYS)
    least = DagSpec("a", "a", (TaskSpec("a"),)).to_json()
    for key in set(DAG_KEYS) - {"id", "name", "tasks"}:
        assert {dag.get(key) == least.get(key) for dag in dags} == {True, False}, key
    for key in set(TASK_KEYS) - {"id"}:
        assert {task.get(key) == least["tasks"][0].get(key) for task in tasks} == {True, False}, key
    assert {dag["name"] == dag["id"] for dag in dags} == {True, False}


def test_an_empty_list_of_tags_is_absent_from_the_compiled_form() -> None:
    (dag,) = (dag.to_json() for dag in specs() if dag.id == "no_tags")
    assert {"owner", "tags"}.isdisjoint(dag)


def test_the_rows_hold_every_type_and_key_of_a_parameter() -> None:
    params = [param.to_json() for dag in specs() for param in dag.params]
    assert {param["type"] for param in params} == set(PARAM_TYPES)
    for key in set(PARAM_KEYS) - {"type"}:
        assert {key in param for param in params} == {True, False}, key


@pytest.mark.parametrize("row", ROWS)
def test_the_keys_of_the_compiled_form_have_their_order(row: str) -> None:
    (dag,) = (dag.to_json() for dag in specs() if dag.id == row)
    assert list(dag) == [key for key in DAG_KEYS if key in dag]
    assert list(dag.get("params", {})) == sorted(dag.get("params", {}))
    for task in dag["tasks"]:
        assert list(task) == [key for key in TASK_KEYS if key in task]
    for param in dag.get("params", {}).values():
        assert list(param) == [key for key in PARAM_KEYS if key in param]


def test_the_rows_hold_every_task_type() -> None:
    assert {task.type for dag in specs() for task in dag.tasks} == set(TASK_TYPES)


def test_the_rows_use_every_spelling_of_a_key_in_yaml() -> None:
    documents = [yaml.safe_load(text(row, "yaml")) for row in ROWS]
    assert {key for document in documents for key in document["dag"]} == set(DAG_SPELLINGS)
    assert {key for document in documents for task in document["tasks"] for key in task} == set(
        TASK_SPELLINGS
    )


def calls(row: str) -> Iterator[tuple[Any, inspect.BoundArguments]]:
    """Return each call of the SDK in a row's Python: (called function, its arguments by name)."""
    for node in ast.walk(ast.parse(text(row, "python"))):
        if not isinstance(node, ast.Call):
            continue
        function: Any = {"Dag": Dag, "conn": conn, "secret": secret}.get(getattr(node.func, "id", ""))
        arguments: list[ast.expr | None] = list(node.args)
        if isinstance(node.func, ast.Attribute):
            function = getattr(Dag, node.func.attr, None)
            arguments.insert(0, None)  # self
        if function is not None:
            keywords = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
            yield function, inspect.signature(function).bind(*arguments, **keywords)


@pytest.mark.parametrize(
    "function",
    [Dag, Dag.task, conn, secret, *(getattr(Dag, name) for name in BUILDERS)],
    ids=lambda f: f.__name__,
)
def test_the_rows_use_every_argument_of_the_python_sdk(function: Any) -> None:
    used = {
        name for row in ROWS for called, bound in calls(row) if called is function for name in bound.arguments
    }
    assert used == set(inspect.signature(function).parameters)


def test_the_rows_know_the_builders_of_the_python_sdk() -> None:
    assert BUILDERS == ["http", "livy", "ontul", "trino"]


@pytest.mark.parametrize("name", ["Dag", "Task", "Conn", "Param"])
def test_the_rows_use_every_public_method_of_the_java_sdk(name: str) -> None:
    source = (SDK / f"{name}.java").read_text(encoding="utf-8")
    methods = set(
        re.findall(rf"^    public (?:static )?(?:{name}|Task|String) (\w+)\(", source, re.MULTILINE)
    )
    public = set(re.findall(r"^    public [^=;{]*?(\w+)\(", source, re.MULTILINE)) - {name}
    rows = "".join(text(row, "jar") for row in ROWS)
    # Shows a DAG's compiled form to its author; it does not describe a DAG.
    wanted = public - {"toJson"}
    assert methods | {"toJson"} >= public
    assert wanted
    assert {method for method in wanted if f".{method}(" in rows} == wanted


def test_the_rows_hold_every_kind_of_config_value() -> None:
    documents = [yaml.safe_load(text(row, "yaml")) for row in ROWS]
    values = [
        value for doc in documents for task in doc["tasks"] for value in task.get("config", {}).values()
    ]
    assert {type(value) for value in values} == {str, bool, int, float, list, dict, type(None)}
    maps = [value for value in values if isinstance(value, dict)]
    assert any(list(value) != sorted(value) for value in maps), "a map whose keys are not sorted"
    assert any(isinstance(inner, dict | list) for value in maps for inner in value.values()), "a nested map"
    assert [] in values
    assert {} in values


@pytest.mark.parametrize(
    "characters",
    [
        "\U0001f600",
        "東",
        "é",
        "e\u0301",
        '"',
        "'",
        "\\",
        "\t",
        "\r",
        "\n",
        "\x01",
        "\x1f",
        "\x7f",
        "\x85",
        "\u2028",
        "\ufeff",
    ],
    ids=ascii,
)
def test_the_rows_hold_difficult_characters_as_text_and_inside_json(characters: str) -> None:
    tasks = [task for dag in specs() for task in dag.tasks]
    as_text = [text for dag in specs() for text in (dag.name, dag.description or "")]
    as_text += [task.script or "" for task in tasks]
    assert any(characters in text for text in as_text)
    if characters in ("é", "e\u0301", "'"):
        return
    encoded = json.dumps(characters, ensure_ascii=False)[1:-1]
    inside = [value for task in tasks for value in task.config.values() if value[:1] in ("[", "{")]
    assert any(encoded in value for value in inside)


@pytest.mark.parametrize("unit", ["ms", "s", "m", "h", "d"])
def test_the_rows_hold_every_unit_of_a_duration(unit: str) -> None:
    pattern = re.compile(rf"timeout: [0-9.]+{unit}\b")
    assert any(pattern.search(text(row, "yaml")) for row in ROWS)
    assert any(re.search(rf'timeout="[0-9.]+{unit}"', text(row, "python")) for row in ROWS)


@pytest.mark.parametrize("reference", [r"\$\{conn\.\w+\.\w+\}", r"\$\{secret\.\w+\}", r"#\{.+\}"])
def test_the_rows_hold_references_and_placeholders_in_scripts_and_configs(reference: str) -> None:
    tasks = [task for dag in specs() for task in dag.tasks]
    assert any(re.search(reference, task.script or "") for task in tasks)
    assert any(re.search(reference, value) for task in tasks for value in task.config.values())
