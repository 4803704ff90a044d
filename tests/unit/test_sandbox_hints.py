"""Limits of the sandbox, their properties, and the hints that name them."""

from __future__ import annotations

from dataclasses import fields

import pytest

from compilers.formats.jar import JAVA
from compilers.formats.python import PYTHON
from compilers.result import FileResult, failed, result_of_raw
from compilers.sandbox.base import CompileOutcome, RawResult
from compilers.sandbox.hints import with_hints
from compilers.sandbox.language import Language
from compilers.sandbox.limits import PROPERTIES, SandboxLimits
from compilers.source import DiscoveredFile
from gitsync.worker import sandbox
from kiok.compiled import CompiledFile
from kiok.errors import Diagnostic
from kiok.server import properties

LIMITS = SandboxLimits()
# The properties kiok.sandbox.* that do not set a limit of a container.
NO_LIMITS = {
    "kiok.sandbox.image.python",
    "kiok.sandbox.image.java",
    "kiok.sandbox.runtime",
    "kiok.sandbox.podman.seccomp.path",
    "kiok.sandbox.pool.size",
    "kiok.sandbox.parallelism",
}


def test_limits_and_their_properties_correspond() -> None:
    assert set(PROPERTIES) == {field.name for field in fields(SandboxLimits)}
    assert len(set(PROPERTIES.values())) == len(PROPERTIES)
    named = {name for name in properties.TABLE if name.startswith("kiok.sandbox.")}
    assert named - NO_LIMITS == set(PROPERTIES.values())


def test_defaults_of_limits_are_those_of_the_properties() -> None:
    assert SandboxLimits.of(properties.load({}).get) == LIMITS


@pytest.mark.parametrize(("field", "name"), PROPERTIES.items())
def test_each_property_sets_its_limit_and_no_other(field: str, name: str) -> None:
    default = properties.TABLE[name].default
    environ = {properties.TABLE[name].variable: str(int(default * 2))}
    limits = SandboxLimits.of(properties.load(environ).get)
    changed = {one.name for one in fields(limits) if getattr(limits, one.name) != getattr(LIMITS, one.name)}
    assert changed == {field}
    assert getattr(limits, field) == getattr(LIMITS, field) * 2
    assert limits.setting(field) == f"{name} = {int(default * 2)}"
    assert limits.fingerprint() != LIMITS.fingerprint()


def test_service_has_the_limits_of_its_properties() -> None:
    assert sandbox.sandbox().limits == SandboxLimits.of(properties.load({}).get)


@pytest.mark.parametrize("text", ["", "two", "0.05", "257", "1e1", "1,5", "٢", "nan", "inf", "0x1"])
def test_number_of_cpus_is_a_decimal_in_its_range(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a number|too (small|large)"):
        properties.TABLE["kiok.sandbox.cpus"].parser.parse(text)


def test_number_of_cpus_may_have_a_fraction() -> None:
    assert SandboxLimits.of(properties.load({"KIOK_SANDBOX_CPUS": " 0.5 "}).get).cpus == 0.5


def hinted(language: Language, raw: RawResult, files: int = 1) -> Diagnostic:
    source = DiscoveredFile(raw.path, language.name, "b", 1)
    result, _ = result_of_raw(source, raw, text=None, image="sha256:0")
    return with_hints(result, raw, LIMITS, language, files=files, image="team:1").diagnostics[0]


def hinted_text(message: str, language: Language = PYTHON) -> str:
    """Return the message with hints, for a file that ran to its end."""
    payload = CompiledFile((), (Diagnostic(message, "a"),)).encode()
    return hinted(language, RawResult("a", CompileOutcome.OK, payload=payload)).message


@pytest.mark.parametrize(
    ("message", "limits"),
    [
        ("MemoryError", ["kiok.sandbox.memory.bytes = 536870912, of which 402653184 for one file"]),
        ("OSError: [Errno 12] Cannot allocate memory", ["kiok.sandbox.memory.bytes = 536870912"]),
        ("BlockingIOError: [Errno 11] Resource temporarily unavailable", ["kiok.sandbox.pids = 64"]),
        ("RuntimeError: can't start new thread", ["kiok.sandbox.pids = 64"]),
        (
            "OSError: [Errno 28] No space left on device: '/tmp/x'",
            ["kiok.sandbox.tmp.bytes = 16777216 and kiok.sandbox.tmp.inodes = 2000"],
        ),
        ("OSError: [Errno 24] Too many open files: 'x'", ["kiok.sandbox.open.files = 256"]),
        ("OSError: [Errno 27] File too large", ["kiok.sandbox.file.bytes = 67108864"]),
        ("class A: its DAG takes 9 bytes; at most 8 are allowed", ["kiok.sandbox.payload.bytes = 1048576"]),
        ("class A: not compiled: the jar's time limit of 60 s was", ["kiok.sandbox.jar.timeout.ms = 60000"]),
        ("class A: hangs or is too slow: it was given 60.0 s", ["kiok.sandbox.jar.timeout.ms = 60000"]),
        ("OutOfMemoryError: unable to create native thread", ["kiok.sandbox.pids = 64"]),
    ],
)
def test_message_about_a_limit_is_followed_by_property_and_value(message: str, limits: list[str]) -> None:
    text = hinted_text(message)
    assert text.startswith(f"{message} (the sandbox allows ")
    assert all(limit in text for limit in limits)
    assert "an operator can raise" in text


def test_memory_limit_of_a_jar_is_that_of_its_container() -> None:
    text = hinted_text("class A: OutOfMemoryError: Java heap space", JAVA)
    assert text.endswith(
        "(the sandbox allows kiok.sandbox.memory.bytes = 536870912; an operator can raise it)"
    )


def test_hint_comes_before_the_frames_of_a_traceback() -> None:
    first, second = hinted_text("MemoryError\n  at a.py:3 in f").split("\n")
    assert "kiok.sandbox.memory.bytes" in first
    assert second == "  at a.py:3 in f"


@pytest.mark.parametrize(
    "message",
    [
        "NameError: name 'x' is not defined",
        # Limits of the virtual machine, which no property can raise.
        "class A: OutOfMemoryError: Metaspace",
        "class A: OutOfMemoryError: Cannot reserve 9 bytes of direct buffer memory (allocated: 1, limit: 2)",
    ],
)
def test_message_about_no_limit_is_unchanged(message: str) -> None:
    assert hinted_text(message, JAVA) == message


@pytest.mark.parametrize(
    ("language", "outcome", "seconds", "limit"),
    [
        (PYTHON, CompileOutcome.TIMEOUT, 30.0, "kiok.sandbox.file.timeout.ms = 30000;"),
        (JAVA, CompileOutcome.TIMEOUT, 60.0, "kiok.sandbox.jar.timeout.ms = 60000;"),
        # The container's deadline is longer than this one file may take, so raising it would not help.
        (PYTHON, CompileOutcome.TIMEOUT, 21.0, "kiok.sandbox.file.timeout.ms = 30000;"),
        (PYTHON, CompileOutcome.TIMEOUT, 0.0, "kiok.sandbox.file.timeout.ms = 30000;"),
        (PYTHON, CompileOutcome.TOO_LARGE, 1.0, "kiok.sandbox.payload.bytes = 1048576;"),
    ],
)
def test_limit_that_the_driver_reports_is_named(
    language: Language, outcome: CompileOutcome, seconds: float, limit: str
) -> None:
    assert limit in hinted(language, RawResult("a", outcome, detail="stopped", seconds=seconds)).message


@pytest.mark.parametrize(
    ("files", "seconds", "limit"),
    [
        (51, 21.0, "kiok.sandbox.file.timeout.ms = 30000;"),
        (52, 21.0, "kiok.sandbox.deadline.ms = 1800000;"),
        (52, 0.0, "kiok.sandbox.deadline.ms = 1800000;"),
        (52, 29.0, "kiok.sandbox.file.timeout.ms = 30000;"),
    ],
)
def test_container_deadline_is_named_only_if_files_may_exceed_it(
    files: int, seconds: float, limit: str
) -> None:
    raw = RawResult("a", CompileOutcome.TIMEOUT, detail="stopped", seconds=seconds)
    assert limit in hinted(PYTHON, raw, files).message


def test_missing_module_is_reported_with_the_image() -> None:
    missing = "the module cannot be imported: ModuleNotFoundError: No module named 'x' (looked in y)"
    first, second = hinted_text(f"{missing}\n  at a.py:1 in f").split("\n")
    assert first == f"{missing}; if it is a package, it must be added to the sandbox image team:1"
    assert second == "  at a.py:1 in f"


STACK = (
    "it was not done within 3 s and was killed\nStack (most recent call first):\n"
    '  File "/src/lib/h.py", line 7 in spin\n  File "/src/a", line 12 in <module>\n'
    '  File "/opt/kiok/python/kiok/python_module.py", line 60 in run_module\n'
)


def test_stopped_file_is_reported_with_its_stack() -> None:
    found = hinted(PYTHON, RawResult("a", CompileOutcome.TIMEOUT, detail=STACK, seconds=30.0))
    first, *way = found.message.split("\n")
    assert first.startswith(
        "it was not done within 3 s and was killed; it was at line 12 (the sandbox allows "
    )
    assert (found.line, way) == (12, ["  at a:12 in <module>", "  at lib/h.py:7 in spin"])


@pytest.mark.parametrize(
    "below", ["", "\n", "nothing", 'File "/src/a", line 99999999999999 in x', "\0\n" * 99]
)
def test_unreadable_stack_is_not_shown(below: str) -> None:
    found = hinted(PYTHON, RawResult("a", CompileOutcome.TIMEOUT, detail=f"stopped\n{below}", seconds=30.0))
    assert found.line is None
    assert (
        found.message
        == "stopped (the sandbox allows kiok.sandbox.file.timeout.ms = 30000; an operator can raise it)"
    )


def test_final_output_of_a_dead_process_may_name_the_limit() -> None:
    raw = RawResult("a", CompileOutcome.EXITED, detail="exit status 1", output="...\nMemoryError\n")
    assert "kiok.sandbox.memory.bytes" in hinted(PYTHON, raw).message
    raw = RawResult("a", CompileOutcome.EXITED, detail="exit status 1", output="nothing to see")
    assert hinted(PYTHON, raw).message == "exit status 1"


def test_only_cut_output_has_a_mark() -> None:
    def output(text: str) -> str:
        return hinted(PYTHON, RawResult("a", CompileOutcome.EXITED, detail="x", output=text)).output or ""

    assert output("y" * 8191) == "y" * 8191
    assert output("y" * 8192).startswith(
        "[kiok.sandbox.output.bytes = 8192: only the end of the output is kept; "
    )
    assert output("y" * 8192).endswith("]\n" + "y" * 8192)


def test_result_without_a_problem_has_no_hint() -> None:
    source = DiscoveredFile("a.py", "python", "b", 1)
    result = FileResult(source, failed(source, "x").status)
    assert with_hints(result, RawResult("a.py", CompileOutcome.TIMEOUT), LIMITS, PYTHON) is result
