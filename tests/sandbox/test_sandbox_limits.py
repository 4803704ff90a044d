"""Each limit exceeded in a real container: the file's error names the property and its value."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compilers.formats.jar import JAVA
from compilers.formats.python import PYTHON
from compilers.result import FileResult, FileStatus
from compilers.sandbox import container
from compilers.sandbox.base import CompileOutcome, SandboxUnavailable
from compilers.sandbox.config import SandboxConfig
from compilers.sandbox.docker import DockerSandbox
from compilers.sandbox.limits import SandboxLimits
from compilers.sandbox.self_check import examine
from kiok.errors import Diagnostic
from tests.sandbox.conftest import JobOf
from tests.sandbox.javac import compile_jar
from tests.support.compilation import compile_tree
from tests.support.trees import MemoryTree

DAG = "from kiok import Dag\ndag = Dag('d')\ndag.task('t', script='true')\n"
MIB = 1 << 20
SMALL = SandboxLimits(
    file_timeout_seconds=8,
    memory_bytes=192 * MIB,
    pids=16,
    max_payload_bytes=4096,
    max_output_bytes=100,
    tmp_bytes=4 * MIB,
    tmp_inodes=100,
    max_file_bytes=2 * MIB,
    max_open_files=64,
)

# A file that exceeds one limit: (its code after `from kiok import Dag`, the expected message).
PASSING = {
    "time.py": ("import time\ntime.sleep(60)\n", "kiok.sandbox.file.timeout.ms = 8000;"),
    "memory.py": ("x = bytearray(100 << 20)\n", "kiok.sandbox.memory.bytes = 201326592, of which 67108864"),
    "shared_memory.py": (
        "import mmap\nx = mmap.mmap(-1, 400 << 20)\nfor at in range(0, 400 << 20, 4096): x[at] = 1\n",
        "kiok.sandbox.memory.bytes = 201326592,",
    ),
    "processes.py": (
        "import os, time\nfor _ in range(100):\n    if not os.fork(): time.sleep(60)\n",
        "kiok.sandbox.pids = 16;",
    ),
    "threads.py": (
        "import threading, time\nfor _ in range(100): threading.Thread(target=time.sleep, args=(60,)).start()\n",
        "kiok.sandbox.pids = 16;",
    ),
    "payload.py": (
        "dag = Dag('d')\ndag.task('t', script='x' * 5000)\n",
        "kiok.sandbox.payload.bytes = 4096;",
    ),
    "tmp_bytes.py": (
        "for name in 'abcdef': open(f'/tmp/{name}', 'wb').write(b'x' * (1 << 20))\n",
        "kiok.sandbox.tmp.bytes = 4194304 and kiok.sandbox.tmp.inodes = 100;",
    ),
    "tmp_inodes.py": (
        "for number in range(200): open(f'/tmp/{number}', 'w').close()\n",
        "kiok.sandbox.tmp.bytes = 4194304 and kiok.sandbox.tmp.inodes = 100;",
    ),
    "file_bytes.py": (
        "file = open('/tmp/big', 'wb', buffering=0)\nwhile True: file.write(b'x' * (1 << 20))\n",
        "kiok.sandbox.file.bytes = 2097152;",
    ),
    "open_files.py": ("x = [open('/dev/null') for _ in range(100)]\n", "kiok.sandbox.open.files = 64;"),
}


def first_problem(result: FileResult) -> Diagnostic:
    assert result.status is FileStatus.FAILED, result
    return result.diagnostics[0]


@pytest.fixture(scope="module")
def passed(python_image: str) -> dict[str, FileResult]:
    """Compile one commit with a file per limit, and one file within all limits. Return the results by path."""
    sandbox = DockerSandbox(SandboxConfig(images={PYTHON: python_image}, limits=SMALL))
    files: dict[str, bytes | str] = {"good.py": DAG}
    files |= {path: "from kiok import Dag\n" + body for path, (body, _) in PASSING.items()}
    files["output.py"] = "import kiok\nprint('first words' + 'x' * 200 + 'last words')\nraise ValueError\n"
    return {file.source.path: file for file in compile_tree(MemoryTree(files), sandbox=sandbox).files}


@pytest.mark.parametrize("path", PASSING)
def test_a_file_over_a_limit_gets_its_property_and_value(path: str, passed: dict[str, FileResult]) -> None:
    message = first_problem(passed[path]).message
    assert f"(the sandbox allows {PASSING[path][1]}" in message
    assert "an operator can raise" in message


def test_cut_output_is_marked_with_its_property_and_value(passed: dict[str, FileResult]) -> None:
    note, output = (first_problem(passed["output.py"]).output or "").split("\n", 1)
    assert (
        note
        == "[kiok.sandbox.output.bytes = 100: only the end of the output is kept; an operator can raise it]"
    )
    assert output.endswith("last words\n")
    assert "first words" not in output


def test_a_file_within_the_limits_compiles_next_to_those_over_them(
    passed: dict[str, FileResult],
) -> None:
    assert passed["good.py"].status is FileStatus.COMPILED


def test_files_over_the_containers_deadline_get_its_property(python_image: str) -> None:
    limits = SandboxLimits(file_timeout_seconds=30, container_deadline_seconds=2)
    sandbox = DockerSandbox(SandboxConfig(images={PYTHON: python_image}, limits=limits))
    files: dict[str, bytes | str] = {"a.py": "import kiok\nwhile True: pass\n", "b.py": DAG}
    for result in compile_tree(MemoryTree(files), sandbox=sandbox).files:
        assert "kiok.sandbox.deadline.ms = 2000;" in first_problem(result).message


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (replace(SMALL, src_bytes=8192), "kiok.sandbox.src.bytes = 8192"),
        (replace(SMALL, src_inodes=3), "kiok.sandbox.src.inodes = 3"),
    ],
)
def test_a_tree_that_does_not_fit_gets_the_property(
    python_image: str, limits: SandboxLimits, message: str
) -> None:
    sandbox = DockerSandbox(SandboxConfig(images={PYTHON: python_image}, limits=limits))
    (result,) = compile_tree(MemoryTree({"a.py": DAG, "b/c.txt": "x" * 9000}), sandbox=sandbox).files
    assert message in first_problem(result).message


@pytest.fixture
def no_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start containers without limits of memory and processes, like an engine that accepts limits but enforces none."""
    real = container.container_options

    def options(*arguments: object, **named: object) -> dict[str, object]:
        made = real(*arguments, **named)  # type: ignore[arg-type]
        for name in ("Memory", "MemorySwap", "PidsLimit"):
            del made["host_config"][name]
        return made

    monkeypatch.setattr(container, "container_options", options)


@pytest.mark.usefixtures("no_limits")
def test_an_engine_without_limits_compiles_nothing_unless_allowed(python_image: str, job_of: JobOf) -> None:
    config = SandboxConfig(images={PYTHON: python_image})
    with pytest.raises(SandboxUnavailable) as raised:
        list(DockerSandbox(config).run(job_of({"a.py": DAG})))
    message = str(raised.value)
    assert "does not limit memory (" in message
    assert f"required: {config.limits.memory_bytes}) and processes (" in message
    assert message.endswith("adding sandbox.limits to kiok.allow.insecure.")
    (result,) = DockerSandbox(replace(config, require_limits=False)).run(job_of({"a.py": DAG}))
    assert result.outcome is CompileOutcome.OK


@pytest.mark.usefixtures("no_limits")
def test_the_check_of_the_sandbox_shows_which_limits_do_not_hold(python_image: str) -> None:
    examination = examine(DockerSandbox(SandboxConfig(images={PYTHON: python_image})), PYTHON)
    assert {finding.name for finding in examination.findings if finding.failed} == {"memory", "processes"}


# The classes of a jar, each of which exceeds one limit: (body of define, the expected message).
CLASSES = {
    "Memory": (
        "byte[][] x = new byte[999][]; for (int i = 0; ; i++) x[i] = new byte[8 << 20];",
        "kiok.sandbox.memory.bytes = 402653184;",
    ),
    "Threads": (
        "while (true) new Thread(() -> { while (true) try { Thread.sleep(60_000); } catch (Exception e) { } }).start();",
        "kiok.sandbox.pids = 40;",
    ),
}
HANGING = {
    "Slow": (
        "while (true) java.util.concurrent.locks.LockSupport.park();",
        "kiok.sandbox.jar.timeout.ms = 12000;",
    )
}


@pytest.mark.parametrize(
    ("classes", "timeout_seconds"), [(CLASSES, 300), (HANGING, 12)], ids=["fail", "hang"]
)
def test_classes_of_a_jar_get_properties_and_values_too(
    java_image: str, java_builder_image: str, classes: dict[str, tuple[str, str]], timeout_seconds: float
) -> None:
    limits = SandboxLimits(jar_timeout_seconds=timeout_seconds, pids=40, memory_bytes=384 * MIB)
    sandbox = DockerSandbox(SandboxConfig(images={JAVA: java_image}, limits=limits))
    source = (
        "import com.cloudcheflabs.kiok.sdk.*;\n"
        "public class {name} implements KiokDag {{\n"
        "    public Dag define() {{ {body} }}\n}}\n"
    )
    sources = {f"{name}.java": source.format(name=name, body=body) for name, (body, _) in classes.items()}
    (result,) = compile_tree(MemoryTree({"all.jar": compile_jar(sources)}), sandbox=sandbox).files
    messages = [item.message for item in result.diagnostics]
    for name, (_, output) in classes.items():
        assert any(f"class {name}: " in message and output in message for message in messages), messages
