"""Failing classes of a jar do not affect the others. For single hostile classes see test_attacks_jars.py."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compilers.formats.jar import JAVA
from compilers.sandbox.config import SandboxConfig
from compilers.sandbox.docker import DockerSandbox
from compilers.sandbox.limits import SandboxLimits
from tests.sandbox.jar_runs import JarRun, rezipped, run_jar
from tests.sandbox.javac import compile_jar

LIMITS = SandboxLimits(jar_timeout_seconds=300)

# Class name -> body of define(), in a jar where every second class is good. The body is on line 6.
BROKEN = {
    "Throws": 'throw new IllegalStateException("no such region");',
    "Exits": "System.exit(0); return null;",
    "ExitsLater": """Thread thread = new Thread(() -> {
            while (!At.work("com.acme.ExitsLaterAfter")) Thread.yield(); System.exit(7); });
        thread.setDaemon(true); thread.start();
        Dag dag = new Dag("exits_later"); dag.task("t").shell("true"); return dag;""",
    "Needs": "return Missing.dag();",
    "Null": "return null;",
    "Crashes": """try { java.lang.reflect.Field f = Class.forName("sun.misc.Unsafe").getDeclaredField("theUnsafe");
        f.setAccessible(true); f.getType().getMethod("putAddress", long.class, long.class).invoke(f.get(null), 0, 0);
        } catch (ReflectiveOperationException e) {} return null;""",
    "Invalid": 'Dag dag = new Dag("invalid"); dag.task("t").requires("nobody"); return dag;',
}

# Hangs without using the processor.
WAITS = "while (true) java.util.concurrent.locks.LockSupport.park();"

# Whether any thread is defining a class.
AT = """package com.acme;
class At {
    static boolean work(String name) {
        for (StackTraceElement[] stack : Thread.getAllStackTraces().values())
            for (StackTraceElement frame : stack) if (frame.getClassName().equals(name)) return true;
        return false;
    }
}
"""


def _class(name: str, body: str, members: str = "") -> str:
    return f"""package com.acme;
import com.cloudcheflabs.kiok.sdk.Dag;
import com.cloudcheflabs.kiok.sdk.KiokDag;
public class {name} implements KiokDag {{ {members}
    @Override public Dag define() {{
        {body}
    }}
}}
"""


def _sound(dag_id: str) -> str:
    return f'Dag dag = new Dag("{dag_id}"); dag.task("t").shell("true"); return dag;'


@pytest.fixture(scope="module")
def patient(java_image: str) -> DockerSandbox:
    return DockerSandbox(SandboxConfig(images={JAVA: java_image}, limits=LIMITS))


@pytest.fixture(scope="module")
def run(patient: DockerSandbox, java_builder_image: str) -> JarRun:
    """Run a jar of alternating broken and good classes."""
    sources = {}
    for name, body in BROKEN.items():
        sources[f"com/acme/{name}.java"] = _class(name, body)
        sources[f"com/acme/{name}After.java"] = _class(f"{name}After", _sound(f"after_{name.lower()}"))
    sources["com/acme/Initialises.java"] = _class(
        "Initialises", _sound("x"), 'static { if (true) throw new IllegalArgumentException("static"); }'
    )
    sources["com/acme/Constructs.java"] = _class(
        "Constructs",
        _sound("x"),
        'public Constructs() { throw new UnsupportedOperationException("constructor"); }',
    )
    sources["com/acme/Missing.java"] = (
        "package com.acme; class Missing { static com.cloudcheflabs.kiok.sdk.Dag dag() { return null; } }"
    )
    sources["com/acme/At.java"] = AT
    return run_jar(patient, _without(compile_jar(sources), "com/acme/Missing.class"))


def _without(jar: bytes, entry: str) -> bytes:
    return rezipped(jar, without=frozenset({entry}))


def test_every_sound_class_of_the_jar_compiles(run: JarRun) -> None:
    sound = {f"after_{name.lower()}" for name in BROKEN} | {"exits_later"}
    assert set(run.dag_ids) == sound, run.messages


def test_the_jar_is_done_within_its_time(run: JarRun) -> None:
    assert run.seconds < LIMITS.jar_timeout_seconds


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Throws", "define() threw IllegalStateException: no such region"),
        ("Initialises", "its static initialiser threw IllegalArgumentException: static"),
        ("Constructs", "its constructor threw UnsupportedOperationException: constructor"),
        ("Exits", "exit status 0; a DAG class must not call System.exit"),
        ("Needs", "NoClassDefFoundError: com/acme/Missing (the jar must contain its own dependencies)"),
        ("Null", "define() returned null"),
        ("Crashes", "its JVM was ended by SIGABRT"),
        ("Invalid", "nobody"),
    ],
)
def test_the_failure_names_the_class_and_the_cause(run: JarRun, name: str, message: str) -> None:
    diagnostics = [d for d in run.compiled.diagnostics if d.message.startswith(f"class com.acme.{name}:")]
    assert diagnostics
    assert any(message in d.message for d in diagnostics), diagnostics
    assert {d.path for d in diagnostics} == {"lib/dags.jar"}


def test_nothing_else_is_reported(run: JarRun) -> None:
    expected = {*BROKEN, "Initialises", "Constructs"} - {"ExitsLater"}
    assert {message.split(":")[0] for message in run.messages} == {
        f"class com.acme.{name}" for name in expected
    }


def test_an_exception_is_reported_with_the_line_that_threw_it(run: JarRun) -> None:
    assert run.about("com.acme.Throws").line == 6
    assert "at com.acme.Throws.define(Throws.java:6)" in run.about("com.acme.Throws").message
    assert run.about("com.acme.Initialises").line == 4


def test_an_invalid_dag_is_located(run: JarRun) -> None:
    located = {(d.dag, d.task, d.key) for d in run.compiled.diagnostics if d.dag}
    assert located == {("invalid", "t", "requires"), ("invalid", "t", "script")}


def test_classes_without_time_are_reported_with_the_class_that_used_it(
    patient: DockerSandbox, java_image: str
) -> None:
    limits = replace(LIMITS, jar_timeout_seconds=15)
    hurried = DockerSandbox(SandboxConfig(images={JAVA: java_image}, limits=limits))
    sources = {f"com/acme/Hang{i}.java": _class(f"Hang{i}", WAITS) for i in range(9)}

    run = run_jar(hurried, compile_jar(sources))

    assert len(run.messages) == 9
    assert "hangs or is too slow" in run.about("com.acme.Hang0").message
    assert (
        "time limit of 15 s was used up, mostly by class com.acme.Hang" in run.about("com.acme.Hang8").message
    )
