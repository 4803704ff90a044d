"""Wrong keys for runs and wrong placeholders in Python files and jars: found in the container, with their place."""

from __future__ import annotations

import pytest

from compilers.result import FileStatus
from compilers.sandbox.docker import DockerSandbox
from kiok.yaml_dag import compile_yaml
from tests.sandbox.javac import compile_jar
from tests.support.compilation import compile_tree
from tests.support.trees import MemoryTree

YAML = """\
dag: {id: d, timezone: Europe/Belrin, retries: 1001, params: {day: {type: dat}}}
tasks:
- {id: t, type: http, config: {url: "${args.dya} #{nowFormated(\\"yyyy\\")}"}, image: a}
"""
PYTHON = """\
from kiok import Dag

d = Dag("d", timezone="Europe/Belrin", retries=1001, params={"day": {"type": "dat"}})
d.task("t", task_type="http", config={"url": '${args.dya} #{nowFormated("yyyy")}'}, image="a")
"""
JAVA = r"""
import com.cloudcheflabs.kiok.sdk.*;
public class Wrong implements KiokDag {
    public Dag define() {
        Dag dag = new Dag("d").timezone("Europe/Belrin").retries(1001)
                .params(Param.date("day").defaultValue(Double.NaN));
        dag.task("t").http("${args.dya} #{nowFormated(\"yyyy\")}").image("a");
        return dag;
    }
}
"""


@pytest.fixture(scope="module")
def found(
    sandbox: DockerSandbox, java_builder_image: str
) -> dict[str, list[tuple[int | None, str | None, str]]]:
    """Return the line, task and message of each problem, by file."""
    files: dict[str, bytes | str] = {"d.py": PYTHON, "d.jar": compile_jar({"Wrong.java": JAVA})}
    compilation = compile_tree(MemoryTree(files), sandbox=sandbox)
    assert {file.status for file in compilation.files} == {FileStatus.FAILED}
    return {
        file.source.path: [(item.line, item.task, item.message) for item in file.diagnostics]
        for file in compilation.files
    }


def test_python_has_the_messages_of_yaml_and_the_lines_of_its_calls(
    found: dict[str, list[tuple[int | None, str | None, str]]],
) -> None:
    yaml = compile_yaml(YAML.encode(), "d.yaml").diagnostics
    assert [(item.task, item.message) for item in yaml] == [(task, text) for _, task, text in found["d.py"]]
    assert [line for line, _, _ in found["d.py"]] == [3, 3, 3, 4, 4, 4]


def test_java_has_the_same_messages_with_the_name_of_the_class(
    found: dict[str, list[tuple[int | None, str | None, str]]],
) -> None:
    same = [message for _, _, message in found["d.py"] if "type" not in message.partition(";")[0]]
    messages = [message.removeprefix("class Wrong: ") for _, _, message in found["d.jar"]]
    assert "the default must be a date such as '2026-03-31', found 'NaN'" in messages
    assert [
        message for message in messages if "NaN" not in message and "type" not in message.partition(";")[0]
    ] == same
    assert len(messages) == len(found["d.py"])
    assert "'Europe/Belrin' is not a time zone" in messages[0]
    assert messages[0].endswith("did you mean 'Europe/Berlin'?")
