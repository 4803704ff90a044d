"""The supervisor of JVMs: a JVM may exit, hang, flood its channel, or report what is false."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from compilers.images.java.jar_child import MAX_DIAGNOSTICS
from kiok.compiled import CompiledFile
from tests.support.fake_java import MAX_PAYLOAD_BYTES, Bench, ids, messages
from tests.support.waiting import wait_until_ended


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_what_an_honest_jvm_reports_is_passed_on(bench: Bench) -> None:
    compiled = bench.compile(
        "hello('A', 'B'); begin(0); dag(0, 'a'); begin(1); failed(1, 7, 'class B: no'); send(b'E')"
    )
    assert ids(compiled) == ["a"]
    (diagnostic,) = compiled.diagnostics
    assert (diagnostic.message, diagnostic.path, diagnostic.line) == ("class B: no", "lib/some.jar", 7)
    assert (compiled.keyed, compiled.import_failed) == (True, False)


def test_a_jar_without_classes_gives_neither_dags_nor_problems(bench: Bench) -> None:
    compiled = bench.compile("hello(); send(b'E')")
    assert compiled == CompiledFile()


def test_an_unreadable_jar_is_an_import_failure(bench: Bench) -> None:
    compiled = bench.compile("raw(b'KIOKJAR1'); send(b'F', b'no readable jar: oh')")
    assert messages(compiled) == ["no readable jar: oh"]
    assert compiled.import_failed


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ("sys.exit(0)", "its JVM ended with exit status 0; a DAG class must not call System.exit"),
        ("sys.exit(86)", "its JVM ran out of memory"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "its JVM was ended by SIGKILL (mostly: more memory"),
        ("os.kill(os.getpid(), 40)", "its JVM was ended by signal 40"),
        ("raw(b'x' * 100)", "its JVM sent what is no report"),
        ("send(b'Q')", "its JVM sent what is no report"),
        ("send(b'R')", "its JVM sent what is no report"),
        ("dag(2, 'forged')", "its JVM sent what is no report"),
        ("begin(1)", "its JVM sent what is no report"),
        ("send(b'E')", "its JVM sent what is no report"),
        ("hello('Other')", "its JVM sent what is no report"),
        ("send(b'C', b'Other')", "its JVM sent what is no report"),
        ("raw(b'R' + b'\\xff' * 4)", "its DAG takes 4294967295 bytes; at most 65536 are allowed"),
        ("dag(1, 'big', 'x' * 70000)", "at most 65536 are allowed"),
        ("raw(b'R' + struct.pack('>I', 9) + b'half'); sys.exit(5)", "exit status 5"),
    ],
)
def test_only_the_class_in_work_fails_when_its_jvm_does(bench: Bench, end: str, expected: str) -> None:
    script = f"""
hello('A', 'B', 'C')
for i in range(first, 3):
    begin(i)
    if i == 1:
        {end}
    dag(i, 'dag%d' % i)
send(b'E')
"""
    compiled = bench.compile(script)
    assert ids(compiled) == ["dag0", "dag2"]
    (message,) = messages(compiled)
    assert message.startswith("class B: ")
    assert expected in message


def test_a_hanging_class_leaves_time_for_the_others(bench: Bench) -> None:
    script = """
hello('A', 'B', 'C', 'D', 'E')
for i in range(first, 5):
    begin(i)
    if i == 1: time.sleep(3600)
    dag(i, 'dag%d' % i)
send(b'E')
"""
    compiled = bench.compile(script, timeout_seconds=24)
    assert ids(compiled) == ["dag0", "dag2", "dag3", "dag4"]
    (message,) = messages(compiled)
    # A quarter of what was left.
    given = re.match(r"class B: hangs or is too slow: it was given (\d+\.\d) s", message)
    assert given, message
    assert 1 < float(given[1]) < 12


def test_when_all_classes_hang_the_time_limit_holds_and_each_is_named(bench: Bench) -> None:
    script = "hello(*'ABCDEFGH'); begin(first); time.sleep(3600)"
    compiled = bench.compile(script, timeout_seconds=8)
    assert [message.split(":")[0] for message in messages(compiled)] == [
        f"class {name}" for name in "ABCDEFGH"
    ]
    assert "the jar's time limit of 8 s was used up, mostly by class" in messages(compiled)[-1]


def test_a_class_may_take_as_long_as_no_other_needs_the_time(bench: Bench) -> None:
    compiled = bench.compile(
        "hello('A'); begin(0); time.sleep(6); dag(0, 'a'); send(b'E')", timeout_seconds=20
    )
    assert ids(compiled) == ["a"]


def test_a_class_that_dies_of_an_earlier_ones_doing_is_tried_again_alone(bench: Bench) -> None:
    script = """
hello('A', 'B')
if first == 0:
    begin(0); dag(0, 'a'); begin(1); sys.exit(9)
begin(1); dag(1, 'b'); send(b'E')
"""
    compiled = bench.compile(script)
    assert (ids(compiled), messages(compiled)) == (["a", "b"], [])


def test_a_jvm_that_has_become_unfit_between_two_classes_is_replaced(bench: Bench) -> None:
    compiled = bench.compile("hello('A', 'B', 'C'); begin(first); dag(first, 'dag%d' % first)")
    assert (ids(compiled), messages(compiled)) == (["dag0", "dag1", "dag2"], [])


def test_a_jvm_that_never_begins_a_class_fails_each_once(bench: Bench) -> None:
    compiled = bench.compile("hello('A', 'B')")
    assert [message.split(":")[0] for message in messages(compiled)] == ["class A", "class B"]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("sys.exit(1)", "its JVM ended with exit status 1"),
        ("raw(b'#!/bin/sh\\n')", "its JVM sent what is no report"),
        ("raw(b'KIOKJAR1'); time.sleep(3600)", "not done in time"),
        ("raw(b'KIOKJAR1')\nwhile True: send(b'P', b'problem')", "not done in time"),
        ("hello(*map(str, range(10001)))", "it has 10001 DAG classes; at most 10000 are allowed"),
    ],
)
def test_a_jar_whose_classes_cannot_be_listed_is_an_error_and_no_absence(
    bench: Bench, script: str, expected: str
) -> None:
    compiled = bench.compile(script, timeout_seconds=4 if expected == "not done in time" else 300)
    (message,) = messages(compiled)
    assert message.startswith("the jar's classes could not be listed: ")
    assert expected in message
    assert "System.exit" not in message  # none of the jar's code has run
    assert not compiled.import_failed


def test_problems_of_the_jar_are_reported_once_however_many_jvms_it_takes(bench: Bench) -> None:
    script = """
raw(b'KIOKJAR1'); send(b'P', b'entry X cannot be read'); send(b'C', b'A/B')
begin(first); sys.exit(3)
"""
    compiled = bench.compile(script)
    assert messages(compiled)[0] == "entry X cannot be read"
    assert len(messages(compiled)) == 3


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b'{"id": NaN}',
        b'{"id": "x", "id": "y"}',
        b"[" * 60_000,
        b"9" * 5_000,
        b"\xff",
        b"null",
    ],
)
def test_a_dag_that_is_no_proper_json_is_its_classs_problem(bench: Bench, body: bytes) -> None:
    script = f"""
hello('A', 'B'); begin(0); send(b'R', struct.pack('>i', 0) + {body!r})
begin(1); dag(1, 'b'); send(b'E')
"""
    compiled = bench.compile(script)
    assert ids(compiled) == ["b"]
    assert {message.split(":")[0] for message in messages(compiled)} == {"class A"}


def test_problems_of_a_dag_name_class_dag_task_and_key(bench: Bench) -> None:
    script = """
hello('A'); begin(0)
bad = {"id": "d", "tasks": [{"id": "t", "type": "http", "config": {"url": 5}}]}
send(b'R', struct.pack('>i', 0) + json.dumps(bad).encode()); send(b'E')
"""
    compiled = bench.compile(script)
    assert ids(compiled) == []
    assert {(d.path, d.dag, d.task, d.key) for d in compiled.diagnostics} == {
        ("lib/some.jar", "d", "t", "url")
    }
    assert all(message.startswith("class A: ") for message in messages(compiled))


def test_an_id_of_two_classes_registers_neither_even_if_one_is_invalid(bench: Bench) -> None:
    script = """
hello('A', 'B', 'C'); begin(0); dag(0, 'same'); begin(1); dag(1, 'same', ''); begin(2); dag(2, 'c'); send(b'E')
"""
    compiled = bench.compile(script)
    assert ids(compiled) == ["c"]
    assert any("classes A and B define DAGs with the same id" in message for message in messages(compiled))


def test_dags_that_together_pass_the_size_limit_fail_from_there_on(bench: Bench) -> None:
    script = """
hello(*'ABCD')
for i in range(4): begin(i); dag(i, 'dag%d' % i, 'x' * 20000)
send(b'E')
"""
    compiled = bench.compile(script)
    assert ids(compiled) == ["dag0", "dag1"]
    assert [message.split(":")[0] for message in messages(compiled)] == ["class C", "class D"]
    assert "take more than 49152 bytes" in messages(compiled)[0]


def test_diagnostics_without_end_are_cut_to_the_payload(bench: Bench) -> None:
    script = """
hello(*('C%d' % i for i in range(1000))); begin(0); dag(0, 'ok', 'x' * 30000)
for i in range(1, 1000): begin(i); failed(i, 0, chr(0x1f600) * 5000)
send(b'E')
"""
    compiled = bench.compile(script)
    assert len(bench.payload) <= MAX_PAYLOAD_BYTES
    assert ids(compiled) == ["ok"]
    assert 0 < len(compiled.diagnostics) <= MAX_DIAGNOSTICS


def test_a_child_of_the_jvm_that_holds_the_pipe_is_ended_without_delay(bench: Bench, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = f"""
hello('A'); begin(0)
child = subprocess.Popen(['sleep', '3600'], pass_fds=(fd,))
open({str(pid_file)!r}, 'w').write(str(child.pid))
os._exit(4)
"""
    compiled = bench.compile(script, timeout_seconds=300)
    assert "exit status 4" in messages(compiled)[0]
    wait_until_ended(int(pid_file.read_text()))


def test_a_jvm_that_closes_the_pipe_and_lives_on_is_ended(bench: Bench, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = f"""
open({str(pid_file)!r}, 'w').write(str(os.getpid()))
hello('A'); begin(0); os.close(fd); time.sleep(3600)
"""
    compiled = bench.compile(script, timeout_seconds=300)
    assert "closed the driver's channel" in messages(compiled)[0]
    wait_until_ended(int(pid_file.read_text()))


def test_the_jvm_inherits_nothing_but_what_it_needs(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Xmx8g")
    leaked, other = os.pipe()
    os.set_inheritable(leaked, True)
    script = """
names = sorted(os.environ.keys() - {'LC_CTYPE'})
fds = [int(name) for name in os.listdir('/proc/self/fd')]
text = json.dumps([names, sys.stdin.read(), [f for f in fds if f > 2 and f != fd and
    os.path.exists('/proc/self/fd/%d' % f)]])
hello('A'); begin(0); failed(0, 0, text); send(b'E')
"""
    compiled = bench.compile(script)
    os.close(leaked)
    os.close(other)
    assert json.loads(messages(compiled)[0]) == [["HOME", "LC_ALL", "PATH"], "", []]


def test_one_started_ahead_is_told_the_jar_and_reports_it(bench: Bench) -> None:
    compiled = bench.compile("hello(jar.split('/')[-1]); begin(0); dag(0, 'a'); send(b'E')", ahead=True)
    assert (ids(compiled), messages(compiled)) == (["a"], [])


@pytest.mark.parametrize("end", ["sys.exit(1)", "os.kill(os.getpid(), signal.SIGKILL)", "raw(b'nonsense')"])
def test_one_started_ahead_that_breaks_before_it_begins_is_replaced(bench: Bench, end: str) -> None:
    script = f"""
try: os.mkdir(sys.argv[0] + '.once')
except FileExistsError: pass
else: {end}
hello('A'); begin(0); dag(0, 'a'); send(b'E')
"""
    compiled = bench.compile(script, ahead=True)
    assert (ids(compiled), messages(compiled)) == (["a"], [])


def test_what_one_started_ahead_does_after_its_greeting_is_the_jars_doing(bench: Bench) -> None:
    compiled = bench.compile("hello('A'); begin(first); sys.exit(4)", ahead=True)
    assert "class A: its JVM ended with exit status 4" in messages(compiled)[0]


@pytest.mark.parametrize("ahead", [False, True])
def test_descriptors_do_not_leak(bench: Bench, ahead: bool) -> None:
    before = len(os.listdir("/proc/self/fd"))
    bench.compile("hello('A', 'B'); begin(first); sys.exit(1)", ahead=ahead)
    # Fewer, where what other tests left is closed meanwhile.
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_git_lfs_pointer_is_named_as_such(bench: Bench) -> None:
    bench.jar.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n")
    compiled = bench.compile("sys.exit(1)", ahead=True)
    assert "Git LFS pointer" in messages(compiled)[0]
    assert compiled.import_failed
